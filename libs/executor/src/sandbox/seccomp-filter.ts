import { ABSENT, type Architecture, FORBIDDEN, LIMITED } from './syscall-numbers.js';

/** Offsets in `struct seccomp_data`; both architectures are little-endian. */
const OF_NUMBER = 0;
const OF_ARCHITECTURE = 4;
const OF_FIRST_ARGUMENT = 16;
const OF_SECOND_ARGUMENT = 24;

const LOAD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_AT_LEAST = 0x35;
const JUMP_IF_ANY_BIT = 0x45;
const RETURN = 0x06;

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const refuse = (errno: number) => 0x0005_0000 | errno;
const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

const AUDIT_ARCHITECTURE: Record<Architecture, number> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
/** Numbers from here on are the x32 calls: the same work past every comparison below. */
const FIRST_X32_NUMBER = 0x4000_0000;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NAMESPACE_FLAGS = 0x7e02_0000;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
/** Put characters into a terminal's input, as if its user had typed them. */
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

type Instruction = [code: number, jumpTrue: number, jumpFalse: number, value: number];

/**
 * The system calls that a box may make, as a classic BPF program in the form that bubblewrap loads. A call of
 * another architecture ends the process: its numbers mean other calls.
 */
export function seccompFilter(architecture: Architecture): Buffer {
  const column: 0 | 1 = architecture === 'x64' ? 0 : 1;
  const numbers = (table: typeof FORBIDDEN) =>
    Object.values(table).flatMap((pair) => pair[column] ?? ([] as number[]));
  const program: Instruction[] = [
    [LOAD, 0, 0, OF_ARCHITECTURE],
    [JUMP_IF_EQUAL, 1, 0, AUDIT_ARCHITECTURE[architecture]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, OF_NUMBER],
    [JUMP_IF_AT_LEAST, 0, 1, FIRST_X32_NUMBER],
    [RETURN, 0, 0, refuse(ENOSYS)],
    ...numbers(FORBIDDEN).flatMap((number) => answer(number, refuse(EPERM))),
    ...numbers(ABSENT).flatMap((number) => answer(number, refuse(ENOSYS))),
    ...judged(LIMITED.clone[column], OF_FIRST_ARGUMENT, [
      [JUMP_IF_ANY_BIT, 0, 1, NAMESPACE_FLAGS],
      [RETURN, 0, 0, refuse(EPERM)],
    ]),
    ...judged(LIMITED.ioctl[column], OF_SECOND_ARGUMENT, [
      ...answer(TIOCSTI, refuse(EPERM)),
      ...answer(TIOCLINUX, refuse(EPERM)),
    ]),
    ...[LIMITED.socket[column], LIMITED.socketpair[column]].flatMap((number) =>
      judged(number, OF_FIRST_ARGUMENT, [
        ...[AF_UNIX, AF_INET, AF_INET6].flatMap((family) => answer(family, ALLOW)),
        [RETURN, 0, 0, refuse(EAFNOSUPPORT)],
      ]),
    ),
    [RETURN, 0, 0, ALLOW],
  ];
  return encode(program);
}

function answer(value: number, verdict: number): Instruction[] {
  return [
    [JUMP_IF_EQUAL, 0, 1, value],
    [RETURN, 0, 0, verdict],
  ];
}

/** The call is let through unless `judgement` has returned. */
function judged(number: number, argument: number, judgement: Instruction[]): Instruction[] {
  return [
    [JUMP_IF_EQUAL, 0, judgement.length + 2, number],
    [LOAD, 0, 0, argument],
    ...judgement,
    [RETURN, 0, 0, ALLOW],
  ];
}

function encode(program: Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, jumpTrue, jumpFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  }
  return bytes;
}
