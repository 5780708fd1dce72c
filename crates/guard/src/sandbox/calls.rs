//! System calls: seccomp.
//!
//! What a server has no use for is refused, the rest allowed. The other way round, a list of all that may be called,
//! would have to know every C library, resolver module and kernel that this ever runs on, and is wrong at night; the
//! service unit that we ship has such a list, kept by whoever makes the system.

use std::collections::BTreeMap;

use libc::{ENOSYS, EPERM};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::NotConfined;

/// Never called by us, and each a way out or to the memory of others.
const REFUSED: &[i64] = &[
    // Reading and steering other processes, and taking their files.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    // Starting programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Another view of files, or another root.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    // The kernel itself.
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_bpf,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_personality,
    libc::SYS_vhangup,
    // Keys that the kernel keeps for others.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // The clock and the name of the machine.
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // Calls that are not made one by one, past any filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS__sysctl,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];

/// The second set of numbers of this processor, which a filter sees under the same architecture, and the numbers
/// that mean something else there.
#[cfg(target_arch = "x86_64")]
const X32: (i64, std::ops::RangeInclusive<i64>) = (0x4000_0000, 512..=547);

/// Puts the filters over the calling thread and those that it starts.
pub(super) fn refuse() -> Result<(), NotConfined> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|_unknown| NotConfined::Unsupported)?;
    let refused = |error: seccompiler::Error| {
        let is_absent =
            matches!(&error, seccompiler::Error::Seccomp(cause) if cause.raw_os_error() == Some(ENOSYS));
        if is_absent { NotConfined::Unsupported } else { NotConfined::Refused(error.to_string()) }
    };
    // The kernel is told what the C library may fall back from: it starts threads in another way then, whose
    // arguments can be looked at.
    let unknown = filter(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), ENOSYS, arch)?;
    seccompiler::apply_filter(&unknown).map_err(refused)?;
    let forbidden = filter(rules()?, EPERM, arch)?;
    seccompiler::apply_filter(&forbidden).map_err(refused)
}

fn filter(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    error: i32,
    arch: TargetArch,
) -> Result<BpfProgram, NotConfined> {
    let answer = SeccompAction::Errno(error.unsigned_abs());
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, answer, arch).map_err(|error| unmade(&error))?;
    BpfProgram::try_from(filter).map_err(|error| unmade(&error))
}

fn unmade(error: &seccompiler::BackendError) -> NotConfined {
    NotConfined::Refused(error.to_string())
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, NotConfined> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().chain(REFUSED_HERE).map(|call| (*call, Vec::new())).collect();
    let wide = |argument, bits: i32, value: i32| {
        let (bits, value) = (u64::from(bits.unsigned_abs()), u64::from(value.unsigned_abs()));
        SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(bits), value)
    };
    let equals = |argument, operator, value: i32| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, u64::from(value.unsigned_abs()))
    };
    let rule =
        |conditions: Vec<SeccompCondition>| SeccompRule::new(conditions).map_err(|error| unmade(&error));
    // A thread, yes; a process, no.
    let no_thread = wide(0, libc::CLONE_THREAD, 0).map_err(|error| unmade(&error))?;
    rules.insert(libc::SYS_clone, vec![rule(vec![no_thread])?]);
    // Memory that can be written and run.
    let both = libc::PROT_WRITE | libc::PROT_EXEC;
    let writable_code = wide(2, both, both).map_err(|error| unmade(&error))?;
    rules.insert(libc::SYS_mmap, vec![rule(vec![writable_code])?]);
    for call in [libc::SYS_mprotect, libc::SYS_pkey_mprotect] {
        let code = wide(2, libc::PROT_EXEC, libc::PROT_EXEC).map_err(|error| unmade(&error))?;
        rules.insert(call, vec![rule(vec![code])?]);
    }
    // The memory stays as it is: not to be dumped.
    let dumpable = equals(0, SeccompCmpOp::Eq, libc::PR_SET_DUMPABLE).map_err(|error| unmade(&error))?;
    rules.insert(libc::SYS_prctl, vec![rule(vec![dumpable])?]);
    // Networks that we speak, and what the resolver asks the kernel about addresses.
    let spoken = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let others: Result<Vec<_>, _> =
        spoken.iter().map(|family| equals(0, SeccompCmpOp::Ne, *family)).collect();
    rules.insert(libc::SYS_socket, vec![rule(others.map_err(|error| unmade(&error))?)?]);
    with_x32(&mut rules);
    Ok(rules)
}

#[cfg(target_arch = "x86_64")]
fn with_x32(rules: &mut BTreeMap<i64, Vec<SeccompRule>>) {
    let (bit, own) = X32;
    let again: Vec<_> = rules.iter().map(|(call, rules)| (bit | call, rules.clone())).collect();
    rules.extend(again);
    rules.extend(own.map(|call| (bit | call, Vec::new())));
}

#[cfg(not(target_arch = "x86_64"))]
fn with_x32(_rules: &mut BTreeMap<i64, Vec<SeccompRule>>) {}
