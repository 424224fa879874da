import { seccompFilter } from './seccomp-filter.js';
import { ABSENT, type Architecture, FORBIDDEN, LIMITED } from './syscall-numbers.js';

const ARCHITECTURE = { x64: 0xc000003e, arm64: 0xc00000b7 };
const ALLOWED = 'allow';
const EPERM = 'errno 1';
const ENOSYS = 'errno 38';
const EAFNOSUPPORT = 'errno 97';

interface Call {
  number: number;
  architecture?: number;
  args?: number[];
}

/** What the kernel does with the program, for the instructions that it uses. */
function verdict(architecture: Architecture, call: Call): string {
  const program = seccompFilter(architecture);
  const data = Buffer.alloc(64);
  data.writeInt32LE(call.number, 0);
  data.writeUInt32LE(call.architecture ?? ARCHITECTURE[architecture], 4);
  for (const [index, value] of (call.args ?? []).entries())
    data.writeBigUInt64LE(BigInt(value), 16 + index * 8);
  let accumulator = 0;
  for (let at = 0; at * 8 < program.length; at += 1) {
    const code = program.readUInt16LE(at * 8);
    const [whenTrue, whenFalse] = [program.readUInt8(at * 8 + 2), program.readUInt8(at * 8 + 3)];
    const value = program.readUInt32LE(at * 8 + 4);
    if (code === 0x20) accumulator = data.readUInt32LE(value);
    else if (code === 0x15) at += accumulator === value ? whenTrue : whenFalse;
    else if (code === 0x35) at += accumulator >= value ? whenTrue : whenFalse;
    else if (code === 0x45) at += (accumulator & value) !== 0 ? whenTrue : whenFalse;
    else if (code === 0x06) return named(value);
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error('ran over its end');
}

function named(value: number): string {
  if (value === 0x7fff0000) return ALLOWED;
  return value === 0x80000000 ? 'kill' : `errno ${value & 0xffff}`;
}

describe.each(['x64', 'arm64'] as const)('the filter of system calls on %s', (architecture) => {
  const column = architecture === 'x64' ? 0 : 1;
  const judge = (number: number, ...args: number[]) => verdict(architecture, { number, args });

  it('refuses what reaches other processes, namespaces and the machine', () => {
    const numbers = Object.values(FORBIDDEN).flatMap((pair) => pair[column] ?? []);
    expect(numbers.length).toBeGreaterThan(45);
    expect(numbers.map((number) => judge(number))).toEqual(numbers.map(() => EPERM));
    for (const pair of Object.values(ABSENT)) expect(judge(pair[column] ?? 0)).toBe(ENOSYS);
  });

  it('lets the ordinary through', () => {
    // read, write, openat, execve, exit_group, mmap, futex, epoll_pwait, getrandom, rseq
    const ordinary = {
      x64: [0, 1, 257, 59, 231, 9, 202, 281, 318, 334],
      arm64: [63, 64, 56, 221, 94, 222, 98, 22, 278, 293],
    };
    for (const number of ordinary[architecture]) expect([number, judge(number)]).toEqual([number, ALLOWED]);
  });

  it('clones processes and threads, not namespaces', () => {
    const clone = LIMITED.clone[column];
    expect(judge(clone, 17)).toBe(ALLOWED);
    expect(judge(clone, 0x3d0f00)).toBe(ALLOWED);
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
      expect(judge(clone, flag | 17)).toBe(EPERM);
  });

  it('opens sockets of the three families, whatever stands in the upper half of the argument', () => {
    for (const number of [LIMITED.socket[column], LIMITED.socketpair[column]]) {
      for (const family of [1, 2, 10]) expect(judge(number, family, 1)).toBe(ALLOWED);
      for (const family of [0, 16, 17, 38, 40, 2 ** 32 + 40])
        expect(judge(number, family, 3)).toBe(EAFNOSUPPORT);
    }
  });

  it('types nothing into terminals', () => {
    const ioctl = LIMITED.ioctl[column];
    expect(judge(ioctl, 0, 0x5401)).toBe(ALLOWED);
    expect(judge(ioctl, 0, 0x5412)).toBe(EPERM);
    expect(judge(ioctl, 0, 2 ** 32 + 0x5412)).toBe(EPERM);
    expect(judge(ioctl, 0, 0x541c)).toBe(EPERM);
  });

  it('ends a process that speaks for another architecture, and knows no x32', () => {
    expect(verdict(architecture, { number: 0, architecture: 0x40000003 })).toBe('kill');
    expect(judge(0x40000000 + 101)).toBe(ENOSYS);
    expect(judge(-1)).toBe(ENOSYS);
  });
});
