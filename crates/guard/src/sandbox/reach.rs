//! Files, ports and signals: Landlock.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus, NetPort,
    RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus,
    Scope, make_bitflags, path_beneath_rules,
};

use super::{NotConfined, Reach, Wall};

/// The newest version whose rights these rules were tried with; what a newer kernel adds stays open.
const NEWEST: ABI = ABI::V6;

/// The walls of Landlock, with the version that brought them.
const WALLS: &[(Wall, ABI)] = &[(Wall::Files, ABI::V1), (Wall::Ports, ABI::V4), (Wall::Signals, ABI::V6)];

/// Shuts the calling thread in; gives what could not be had.
pub(super) fn enclose(reach: &Reach) -> Vec<(Wall, NotConfined)> {
    let missing_from = |abi: ABI, why: NotConfined| {
        let beyond = WALLS.iter().filter(move |(_, since)| *since > abi);
        beyond.map(|(wall, _)| (*wall, why.clone())).collect()
    };
    match restricted(reach) {
        Err(error) => missing_from(ABI::Unsupported, NotConfined::Refused(with_causes(&error))),
        Ok(RestrictionStatus { ruleset: RulesetStatus::NotEnforced, .. }) => {
            missing_from(ABI::Unsupported, NotConfined::Unsupported)
        }
        Ok(RestrictionStatus { landlock: LandlockStatus::Available { effective_abi, .. }, .. }) => {
            missing_from(effective_abi, NotConfined::Unsupported)
        }
        Ok(_) => missing_from(ABI::Unsupported, NotConfined::Unsupported),
    }
}

fn restricted(reach: &Reach) -> Result<RestrictionStatus, RulesetError> {
    let reading = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let writing = reading
        | make_bitflags!(AccessFs::{
            WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
        });
    // To start a program is a right that nothing is granted.
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::BindTcp)?
        .scope(Scope::from_all(NEWEST))?;
    if reach.connect.is_some() {
        rules = rules.handle_access(AccessNet::ConnectTcp)?;
    }
    let ports = |ports: &[u16], access: AccessNet| -> Vec<Result<NetPort, RulesetError>> {
        ports.iter().map(|port| Ok(NetPort::new(*port, BitFlags::from(access)))).collect()
    };
    rules
        .create()?
        .add_rules(path_beneath_rules(&reach.read, reading))?
        .add_rules(path_beneath_rules(&reach.write, writing))?
        .add_rules(ports(&reach.bind, AccessNet::BindTcp))?
        .add_rules(ports(reach.connect.as_deref().unwrap_or_default(), AccessNet::ConnectTcp))?
        .restrict_self()
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
