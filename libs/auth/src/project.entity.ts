import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A tenant. Its slug is its identity; keys, budgets, usage and audit point here, so it is never deleted. */
@Entity('projects')
export class Project {
  @PrimaryColumn('text') id: string;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  /** None of its keys works while this is set. */
  @Column('timestamptz', { name: 'disabled_at', nullable: true }) disabledAt: Date | null;
}
