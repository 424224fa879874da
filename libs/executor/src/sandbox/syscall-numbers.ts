/** Of the architectures that the filter knows; `null` = the call does not exist there. */
export type Architecture = 'x64' | 'arm64';

type Numbers = Record<string, readonly [x64: number | null, arm64: number | null]>;

/** What no tool needs, and what reaches kernel code that has let sandboxes out before. */
export const FORBIDDEN: Numbers = {
  // Other processes' memory and descriptors.
  ...{ ptrace: [101, 117], process_vm_readv: [310, 270], process_vm_writev: [311, 271] },
  ...{ process_madvise: [440, 440], pidfd_getfd: [438, 438], kcmp: [312, 272] },
  // Kernel keyrings are not split by namespaces.
  ...{ keyctl: [250, 219], add_key: [248, 217], request_key: [249, 218] },
  ...{ io_uring_setup: [425, 425], io_uring_enter: [426, 426], io_uring_register: [427, 427] },
  ...{ userfaultfd: [323, 282], bpf: [321, 280], perf_event_open: [298, 241], fanotify_init: [300, 262] },
  // Mounts and namespaces.
  ...{ mount: [165, 40], umount2: [166, 39], pivot_root: [155, 41], chroot: [161, 51] },
  ...{ move_mount: [429, 429], open_tree: [428, 428], open_tree_attr: [467, 467], fsopen: [430, 430] },
  ...{ fsconfig: [431, 431], fsmount: [432, 432], fspick: [433, 433], mount_setattr: [442, 442] },
  ...{ setns: [308, 268], unshare: [272, 97], name_to_handle_at: [303, 264], open_by_handle_at: [304, 265] },
  // The machine itself.
  ...{ init_module: [175, 105], finit_module: [313, 273], delete_module: [176, 106] },
  ...{ kexec_load: [246, 104], kexec_file_load: [320, 294], reboot: [169, 142], syslog: [103, 116] },
  ...{
    acct: [163, 89],
    swapon: [167, 224],
    swapoff: [168, 225],
    quotactl: [179, 60],
    quotactl_fd: [443, 443],
  },
  ...{ settimeofday: [164, 170], clock_settime: [227, 112], clock_adjtime: [305, 266] },
  ...{ sethostname: [170, 161], setdomainname: [171, 162], vhangup: [153, 58], lookup_dcookie: [212, 18] },
  ...{ iopl: [172, null], ioperm: [173, null], modify_ldt: [154, null], uselib: [134, null] },
};

/** Answered as if the kernel were too old, so that programs fall back to what can be seen through. */
export const ABSENT: Numbers = {
  // Its flags lie in memory, where a filter cannot read them; libraries then use clone.
  clone3: [435, 435],
  // Memory that belongs to no process: the watchdog would not see it.
  ...{ memfd_create: [319, 279], memfd_secret: [447, 447], shmget: [29, 194], msgget: [68, 186] },
};

/** Allowed or not by their arguments. */
export const LIMITED = {
  clone: [56, 220],
  socket: [41, 198],
  socketpair: [53, 199],
  ioctl: [16, 29],
} as const;
