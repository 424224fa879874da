import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Caller, type Principal, Requires } from '@app/common';
import { CreateKeyDto } from './dto/create-key.dto.js';
import { IssuedKeyDto, KeyDto, KeyListDto } from './dto/key.dto.js';
import { ListKeysDto } from './dto/list-keys.dto.js';
import { RotateKeyDto } from './dto/rotate-key.dto.js';
import { UpdateKeyDto } from './dto/update-key.dto.js';
import { KeysService } from './keys.service.js';

const KeyRef = () =>
  ApiParam({ name: 'key', description: 'An id (`key_…`) or a kid.', example: '7Kd02mXq9LpR' });

@ApiTags('administration')
@Controller('v1/admin/keys')
export class KeysController {
  constructor(private readonly keys: KeysService) {}

  @Post()
  @Requires('keys:write')
  @ApiOperation({ summary: 'Make a key', description: 'The secret is in this answer and nowhere else.' })
  @ApiCreatedResponse({ type: IssuedKeyDto })
  async create(@Caller() principal: Principal, @Body() dto: CreateKeyDto): Promise<IssuedKeyDto> {
    return IssuedKeyDto.from(await this.keys.create(principal, dto.toInput()));
  }

  @Get()
  @Requires('keys:read')
  @ApiOperation({ summary: 'List keys, newest first' })
  @ApiOkResponse({ type: KeyListDto })
  async list(@Caller() principal: Principal, @Query() query: ListKeysDto): Promise<KeyListDto> {
    const { project_id: project, limit, cursor } = query;
    return KeyListDto.from(await this.keys.list(principal, { project, limit, cursor }));
  }

  @Get(':key')
  @Requires('keys:read')
  @ApiOperation({ summary: 'Show a key' })
  @KeyRef()
  @ApiOkResponse({ type: KeyDto })
  async show(@Caller() principal: Principal, @Param('key') ref: string): Promise<KeyDto> {
    return KeyDto.from(await this.keys.show(principal, ref));
  }

  @Patch(':key')
  @Requires('keys:write')
  @ApiOperation({ summary: 'Change a key', description: 'What is left out stays as it is.' })
  @KeyRef()
  @ApiOkResponse({ type: KeyDto })
  async update(
    @Caller() principal: Principal,
    @Param('key') ref: string,
    @Body() dto: UpdateKeyDto,
  ): Promise<KeyDto> {
    return KeyDto.from(await this.keys.update(principal, ref, dto.toInput()));
  }

  @Post(':key/rotate')
  @HttpCode(200)
  @Requires('keys:write')
  @ApiOperation({ summary: 'Give a key a new secret', description: 'The old one works for a while more.' })
  @KeyRef()
  @ApiOkResponse({ type: IssuedKeyDto })
  async rotate(
    @Caller() principal: Principal,
    @Param('key') ref: string,
    @Body() dto: RotateKeyDto,
  ): Promise<IssuedKeyDto> {
    const input = { overlapSeconds: dto.overlap_seconds };
    return IssuedKeyDto.from(await this.keys.rotate(principal, ref, input));
  }

  @Post(':key/revoke')
  @HttpCode(200)
  @Requires('keys:write')
  @ApiOperation({ summary: 'End a key for good', description: 'Its running work is stopped.' })
  @KeyRef()
  @ApiOkResponse({ type: KeyDto })
  async revoke(@Caller() principal: Principal, @Param('key') ref: string): Promise<KeyDto> {
    return KeyDto.from(await this.keys.revoke(principal, ref));
  }
}
