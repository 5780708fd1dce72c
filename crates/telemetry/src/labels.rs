//! Closed sets of label values that no other room owns.

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident, $code:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$each])* $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The value of the label.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

labels! {
    /// What a look into the cache came to.
    CacheOutcome {
        /// A reply was there.
        Hit, "hit";
        /// It was remembered that the source holds nothing of the patient.
        Absence, "absence";
        /// Nothing was there; the source is asked.
        Miss, "miss";
        /// Another request of the same scope was already asking.
        Joined, "joined";
        /// The source's replies are never kept.
        Bypass, "bypass";
    }
}

labels! {
    /// Where the trace of a request comes from.
    TraceOutcome {
        /// The caller sent one, and it goes on here.
        Continued, "continued";
        /// The caller sent none.
        Begun, "begun";
        /// What the caller sent is no trace, or more than one.
        Refused, "refused";
    }
}

labels! {
    /// How far the launch of a page got.
    LaunchOutcome {
        /// An address was given out.
        Offered, "offered";
        /// A signed form was taken.
        Taken, "taken";
        /// The page was opened.
        Opened, "opened";
        /// A signed form did not prove who asks.
        Unproven, "unproven";
        /// The address was used before.
        Used, "used";
        /// The address is too old, or none that was given out.
        Unknown, "unknown";
        /// It was fetched ahead of time, or for something else than a page.
        NotAPage, "not-a-page";
        /// What a page sent is about somebody else than it was opened for.
        OtherPatient, "other-patient";
    }
}

labels! {
    /// What became of a span.
    SpanOutcome {
        /// Whoever keeps traces took it.
        Exported, "exported";
        /// There was no room for it here.
        Dropped, "dropped";
        /// Whoever keeps traces would not take it.
        Refused, "refused";
        /// Nobody was there to take it.
        Unsent, "unsent";
    }
}

labels! {
    /// How much of a section is held back from a role.
    Extent {
        /// All of it.
        Whole, "whole";
        /// Some of it.
        Part, "part";
    }
}

labels! {
    /// What a statement on a line is.
    CopyKind {
        /// Its author's own.
        Original, "original";
        /// A copy; the author says the same.
        Echo, "echo";
        /// A copy; the author says something else by now.
        Stale, "stale-copy";
        /// A copy of what the author does not hold.
        OfAbsent, "copy-of-absent";
        /// A copy whose author did not answer.
        Unverified, "copy-unverified";
    }
}

labels! {
    /// What became of a configuration that was read again.
    ReloadOutcome {
        /// It is in force.
        Applied, "applied";
        /// It has a mistake, and the one before is in force.
        Rejected, "rejected";
    }
}

labels! {
    /// What became of a checkpoint that was sent to a witness.
    WitnessOutcome {
        /// It was cosigned.
        Cosigned, "cosigned";
        /// The witness could not be reached, or did not answer as a witness does.
        Unreachable, "unreachable";
        /// The witness refused it.
        Refused, "refused";
        /// The witness has seen another log under this name.
        Contradicted, "contradicted";
    }
}

labels! {
    /// Which listener.
    Listener {
        /// Records.
        Data, "data";
        /// Metrics and health.
        Admin, "admin";
        /// GP Connect, where unsigned tokens are taken down as said.
        GpConnect, "gpconnect";
        /// Pages that another system opens in a browser.
        Launch, "launch";
    }
}

labels! {
    /// What the breaker of a source does with asks. Its number is the value of the gauge.
    BreakerState {
        /// It lets them pass.
        Passing, "passing";
        /// It lets one pass, to see.
        Probing, "probing";
        /// It refuses them.
        Shut, "shut";
    }
}

labels! {
    /// What the policy said.
    PolicyOutcome {
        /// Yes, for everything that was asked.
        Permit, "permit";
        /// Yes, for some sections.
        PermitPart, "permit-part";
        /// No.
        Deny, "deny";
    }
}

labels! {
    /// What became of a wish to break the glass.
    GlassOutcome {
        /// It is broken.
        Opened, "opened";
        /// It was broken before, by the same user for the same patient.
        Open, "open";
        /// No rule offers it to this requester.
        NotOffered, "not-offered";
        /// This user broke it too often.
        OverQuota, "over-quota";
        /// What was asked for is refused with it as well.
        Denied, "denied";
    }
}

labels! {
    /// Why a request was refused for load.
    ShedReason {
        /// Too many connections.
        Connections, "connections";
        /// Too many requests at once.
        Requests, "requests";
        /// Too many bytes in work.
        Memory, "memory";
        /// One caller took more than its share.
        Caller, "caller";
        /// The broker is draining.
        Draining, "draining";
    }
}

/// Whether a code map can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapState {
    /// It was read and is used.
    Loaded,
    /// It is absent or was refused.
    Absent,
}
