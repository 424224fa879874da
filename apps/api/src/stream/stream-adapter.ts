import { Logger } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import type { MessageMappingProperties } from '@nestjs/websockets';
import { newId } from '@app/common';
import { lastValueFrom, type Observable } from 'rxjs';
import type { RawData, WebSocketServer } from 'ws';
import { asAppError } from '../http/problem.js';
import { requestScope } from '../logging/structured-log.js';
import { binaryFrame, type Frame, frameOf } from './frame.js';
import type { StreamSocket } from './stream-socket.js';

/**
 * Brings frames to their handlers: counted before they are read, read strictly, and whatever is wrong with them
 * is answered. It opens nothing by itself: the handshake does.
 */
export class StreamAdapter extends WsAdapter {
  private readonly frames = new Logger('stream');

  override bindMessageHandlers(
    socket: StreamSocket,
    handlers: MessageMappingProperties[],
    transform: (result: unknown) => Observable<unknown>,
  ): void {
    const handlerOf = new Map(handlers.map(({ message, callback }) => [message as string, callback]));
    for (const control of ['ping', 'pong']) {
      socket.on(control, () => void (socket.isOpen && socket.mayReceive()));
    }
    socket.on('message', (data, isBinary) => {
      if (!socket.isOpen) return;
      const read = () => (isBinary ? binaryFrame() : frameOf(textOf(data)));
      if (!socket.mayReceive(() => idOf(read))) return;
      const frame = this.read(socket, read);
      if (!frame) return;
      const handle = () =>
        requestScope.run({ request_id: frame.requestId }, () =>
          lastValueFrom(transform(handlerOf.get(frame.event)?.(frame)), { defaultValue: undefined }),
        );
      if (socket.principal) void this.guarded(handle());
      else socket.hold((data as Buffer).length, () => this.introduced(socket, handle));
    });
  }

  /** Nest's own would log what clients do wrong as our errors. */
  override bindErrorHandler(server: WebSocketServer): WebSocketServer {
    return server.on('error', (error) => this.frames.error(error));
  }

  protected override ensureHttpServerExists(): undefined {
    return undefined;
  }

  private read(socket: StreamSocket, read: () => Frame): Frame | undefined {
    try {
      return read();
    } catch (error) {
      socket.complain(asAppError(error), newId('req'));
      return undefined;
    }
  }

  /** What came right behind the frame that said who it is does not wait for each other. */
  private introduced(socket: StreamSocket, handle: () => Promise<unknown>): Promise<void> | undefined {
    const isKnown = socket.principal !== undefined;
    const handled = this.guarded(handle());
    return isKnown ? undefined : handled;
  }

  private async guarded(handled: Promise<unknown>): Promise<void> {
    try {
      await handled;
    } catch (error) {
      this.frames.error(error);
    }
  }
}

const textOf = (data: RawData) => (data as Buffer).toString('utf8');

function idOf(read: () => Frame): string | undefined {
  try {
    return read().id;
  } catch {
    return undefined;
  }
}
