import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Caller, type Principal, requireInstallation, Requires } from '@app/common';
import { PoolStateDto } from './dto/pool-state.dto.js';
import { ProcessPool } from './process-pool.js';

@ApiTags('administration')
@Controller('v1/admin/pool')
export class PoolController {
  constructor(private readonly pool: ProcessPool) {}

  @Get()
  @Requires('pool:read')
  @ApiOperation({
    summary: 'Show the processes that are kept ready',
    description: 'Those of the server that answers. Workers that run apart have pools of their own.',
  })
  @ApiOkResponse({ type: PoolStateDto })
  show(@Caller() principal: Principal): PoolStateDto {
    requireInstallation(principal, 'see the processes of all');
    return this.pool.state();
  }
}
