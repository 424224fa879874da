import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Whether queries are answered now. Takes at most as long as the pool's own timeouts. */
@Injectable()
export class DatabaseHealth {
  constructor(private readonly dataSource: DataSource) {}

  async check(): Promise<{ status: 'ok' | 'failing'; detail?: string }> {
    try {
      await this.dataSource.query('SELECT 1');
      return { status: 'ok' };
    } catch {
      return { status: 'failing', detail: 'the database does not answer' };
    }
  }
}
