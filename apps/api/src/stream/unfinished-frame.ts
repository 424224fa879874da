import type { Socket } from 'node:net';

/** Of a client's control frame, beside what it carries: two bytes and the mask. */
const CONTROL_HEAD = 6;

/**
 * Tells how long a frame has been coming without an end, by counting bytes: ws tells of whole messages only.
 * What arrives in one piece with the end of the frame before is not counted.
 */
export class UnfinishedFrame {
  private controlBytes = 0;
  private bytesAtEnd = 0;
  private begunBy?: number;

  constructor(private readonly wire: Socket) {
    this.ended();
  }

  ended(): void {
    this.bytesAtEnd = this.bytes;
    this.begunBy = undefined;
  }

  /** Control frames may stand between the parts of another frame. */
  sawControlFrame(payload: number): void {
    this.controlBytes += CONTROL_HEAD + payload;
  }

  /** Milliseconds since it was first seen; 0 = there is none. */
  since(now: number): number {
    if (this.bytes <= this.bytesAtEnd) return 0;
    this.begunBy ??= now;
    return now - this.begunBy;
  }

  private get bytes(): number {
    return this.wire.bytesRead - this.controlBytes;
  }
}
