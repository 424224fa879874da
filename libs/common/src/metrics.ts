import { Injectable } from '@nestjs/common';
import { Registry } from 'prom-client';

/** What `/metrics` shows of this server. Labels are few and known beforehand: never a key, a project or a text. */
@Injectable()
export class Metrics extends Registry {}
