import { ApiProperty } from '@nestjs/swagger';

/** Processes of one kind: how many there are in each phase, and how often they were used. */
export class PoolKindDto {
  @ApiProperty({ example: '4c1f0a9be27d', description: 'Of everything that is fixed at start.' })
  fingerprint: string;
  @ApiProperty({ example: 'text claude-haiku-5-5' })
  label: string;
  @ApiProperty({ example: 1, description: 'Have served nobody yet.' })
  fresh: number;
  @ApiProperty({ example: 2 })
  busy: number;
  @ApiProperty({ example: 0, description: 'Are forgetting their last run.' })
  resetting: number;
  @ApiProperty({ example: 3, description: 'Wait for the key that they have served.' })
  rested: number;
  @ApiProperty({ example: 412 })
  uses: number;
  @ApiProperty({ example: 812_646_400, description: '0 = cannot be seen.' })
  memory_bytes: number;
}

class PoolHitsDto {
  @ApiProperty({ example: 390, description: 'Found a process that had served the same key.' })
  recycled: number;
  @ApiProperty({ example: 17, description: 'Found one that had served nobody.' })
  fresh: number;
}

class PoolEndedDto {
  @ApiProperty({ example: 4, description: 'For their age or the number of their uses.' })
  worn: number;
  @ApiProperty({ example: 2, description: 'Because nobody needed them, or for room.' })
  evicted: number;
  @ApiProperty({ example: 0, description: 'Died, or could not be reset.' })
  failed: number;
}

/** What the pool of the answering process holds, and what became of the runs that asked it. */
export class PoolStateDto {
  @ApiProperty({ example: true })
  enabled: boolean;
  @ApiProperty({ example: true })
  recycling: boolean;
  @ApiProperty({ example: 6 })
  processes: number;
  @ApiProperty({ example: 1_219_493_888, description: 'An estimate for processes that cannot be seen.' })
  memory_bytes: number;
  @ApiProperty({ example: 6_318_718_976 })
  memory_limit_bytes: number;
  @ApiProperty({ type: PoolHitsDto })
  hits: PoolHitsDto;
  @ApiProperty({ example: 5, description: 'Runs that had to wait for a new process.' })
  misses: number;
  @ApiProperty({ type: PoolEndedDto })
  ended: PoolEndedDto;
  @ApiProperty({
    example: 0,
    description: 'Runs that left their process and started anew outside of the pool.',
  })
  rescued: number;
  @ApiProperty({ type: [PoolKindDto] })
  kinds: PoolKindDto[];
}
