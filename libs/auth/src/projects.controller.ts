import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Caller, PageQueryDto, type Principal, Requires } from '@app/common';
import { CreateProjectDto, ProjectDto, ProjectListDto } from './dto/project.dto.js';
import { ProjectsService } from './projects.service.js';

const ProjectRef = () => ApiParam({ name: 'project', example: 'my-app' });

@ApiTags('administration')
@Controller('v1/admin/projects')
export class ProjectsController {
  constructor(private readonly projects: ProjectsService) {}

  @Get()
  @Requires('projects:read')
  @ApiOperation({ summary: 'List projects, by name' })
  @ApiOkResponse({ type: ProjectListDto })
  async list(
    @Caller() principal: Principal,
    @Query() { limit, cursor }: PageQueryDto,
  ): Promise<ProjectListDto> {
    return ProjectListDto.from(await this.projects.list(principal, { limit, cursor }));
  }

  @Post()
  @Requires('projects:write')
  @ApiOperation({ summary: 'Make a project', description: 'Its first key makes one, too.' })
  @ApiCreatedResponse({ type: ProjectDto })
  async create(@Caller() principal: Principal, @Body() dto: CreateProjectDto): Promise<ProjectDto> {
    return ProjectDto.from(await this.projects.create(principal, dto.project_id));
  }

  @Get(':project')
  @Requires('projects:read')
  @ApiOperation({ summary: 'Show a project' })
  @ProjectRef()
  @ApiOkResponse({ type: ProjectDto })
  async show(@Caller() principal: Principal, @Param('project') id: string): Promise<ProjectDto> {
    return ProjectDto.from(await this.projects.show(principal, id));
  }

  @Post(':project/disable')
  @HttpCode(200)
  @Requires('projects:write')
  @ApiOperation({
    summary: 'Stop a project',
    description: 'None of its keys works until it is enabled; their running and waiting work is stopped.',
  })
  @ProjectRef()
  @ApiOkResponse({ type: ProjectDto })
  async disable(@Caller() principal: Principal, @Param('project') id: string): Promise<ProjectDto> {
    return ProjectDto.from(await this.projects.disable(principal, id));
  }

  @Post(':project/enable')
  @HttpCode(200)
  @Requires('projects:write')
  @ApiOperation({ summary: 'Let a stopped project work again' })
  @ProjectRef()
  @ApiOkResponse({ type: ProjectDto })
  async enable(@Caller() principal: Principal, @Param('project') id: string): Promise<ProjectDto> {
    return ProjectDto.from(await this.projects.enable(principal, id));
  }
}
