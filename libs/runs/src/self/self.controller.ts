import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Caller, type Principal, Requires } from '@app/common';
import { MeDto } from './dto/me.dto.js';
import { Self } from './self.service.js';

@ApiTags('discovery')
@Controller('v1/me')
export class SelfController {
  constructor(private readonly self: Self) {}

  @Get()
  @Requires('self:read')
  @ApiOperation({ summary: 'What your key is and may do' })
  @ApiOkResponse({ type: MeDto })
  async show(@Caller() principal: Principal): Promise<MeDto> {
    return MeDto.from(await this.self.of(principal));
  }
}
