import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { Caller, type Principal, Requires } from '@app/common';
import { SetTierDto } from './dto/set-tier.dto.js';
import { RemovedTierDto, TierDto, TierHistoryDto, TierListDto } from './dto/tier.dto.js';
import { TierAdministration } from './tier-administration.service.js';

const TierName = () => ApiParam({ name: 'tier', example: 'acme' });

@ApiTags('administration')
@Controller('v1/admin/tiers')
export class TiersController {
  constructor(private readonly tiers: TierAdministration) {}

  @Get()
  @Requires('tiers:read')
  @ApiOperation({ summary: 'List tiers' })
  @ApiOkResponse({ type: TierListDto })
  async list(): Promise<TierListDto> {
    return TierListDto.from(await this.tiers.list());
  }

  @Get(':tier')
  @Requires('tiers:read')
  @ApiOperation({ summary: 'Show a tier and its versions' })
  @TierName()
  @ApiOkResponse({ type: TierHistoryDto })
  async show(@Param('tier') name: string): Promise<TierHistoryDto> {
    return TierHistoryDto.fromHistory(await this.tiers.show(name));
  }

  @Put(':tier')
  @Requires('tiers:write')
  @ApiOperation({
    summary: 'Change a tier, or make one from another',
    description: 'What is left out stays as it is. In force at once for every key of the tier.',
  })
  @TierName()
  @ApiOkResponse({ type: TierDto })
  async set(
    @Caller() principal: Principal,
    @Param('tier') name: string,
    @Body() dto: SetTierDto,
  ): Promise<TierDto> {
    return TierDto.from(await this.tiers.set(principal, name, dto.toChanges(), dto.from));
  }

  @Delete(':tier')
  @Requires('tiers:write')
  @ApiOperation({ summary: 'Remove a tier that no key has', description: 'A default tier is reset instead.' })
  @TierName()
  @ApiOkResponse({ type: RemovedTierDto })
  async remove(@Caller() principal: Principal, @Param('tier') name: string): Promise<RemovedTierDto> {
    await this.tiers.remove(principal, name);
    return { name, removed: true };
  }

  @Post(':tier/reset')
  @HttpCode(200)
  @Requires('tiers:write')
  @ApiOperation({ summary: 'Make a default tier as it is shipped' })
  @TierName()
  @ApiOkResponse({ type: TierDto })
  async reset(@Caller() principal: Principal, @Param('tier') name: string): Promise<TierDto> {
    return TierDto.from(await this.tiers.reset(principal, name));
  }
}
