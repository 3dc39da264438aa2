//! How a request ended: `command_status` (SMPP 3.4, 5.1.3).

use std::fmt;

/// A `command_status`; 0 means that the request was taken, whatever follows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CommandStatus(pub u32);

macro_rules! statuses {
    ($($name:ident = $code:literal, $spec:literal, $words:literal;)*) => {
        impl CommandStatus {
            $(#[doc = concat!("`", $spec, "`: ", $words, ".")]
            pub const $name: CommandStatus = CommandStatus($code);)*

            /// The specification's name and words for it.
            pub const fn described(self) -> Option<(&'static str, &'static str)> {
                match self.0 {
                    $($code => Some(($spec, $words)),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    OK = 0x00, "ESME_ROK", "no error";
    INVALID_MESSAGE_LENGTH = 0x01, "ESME_RINVMSGLEN", "the message's length is invalid";
    INVALID_COMMAND_LENGTH = 0x02, "ESME_RINVCMDLEN", "the command's length is invalid";
    INVALID_COMMAND_ID = 0x03, "ESME_RINVCMDID", "the command is not known";
    INVALID_BIND_STATUS = 0x04, "ESME_RINVBNDSTS", "the session is not bound for this command";
    ALREADY_BOUND = 0x05, "ESME_RALYBND", "the session is bound already";
    INVALID_PRIORITY = 0x06, "ESME_RINVPRTFLG", "the priority flag is invalid";
    INVALID_REGISTERED_DELIVERY = 0x07, "ESME_RINVREGDLVFLG", "the registered delivery flag is invalid";
    SYSTEM_ERROR = 0x08, "ESME_RSYSERR", "system error";
    INVALID_SOURCE = 0x0a, "ESME_RINVSRCADR", "the source address is invalid";
    INVALID_DESTINATION = 0x0b, "ESME_RINVDSTADR", "the destination address is invalid";
    INVALID_MESSAGE_ID = 0x0c, "ESME_RINVMSGID", "the message id is invalid";
    BIND_FAILED = 0x0d, "ESME_RBINDFAIL", "bind failed";
    INVALID_PASSWORD = 0x0e, "ESME_RINVPASWD", "the password is invalid";
    INVALID_SYSTEM_ID = 0x0f, "ESME_RINVSYSID", "the system_id is invalid";
    CANCEL_FAILED = 0x11, "ESME_RCANCELFAIL", "cancel_sm failed";
    REPLACE_FAILED = 0x13, "ESME_RREPLACEFAIL", "replace_sm failed";
    QUEUE_FULL = 0x14, "ESME_RMSGQFUL", "the message queue is full";
    INVALID_SERVICE_TYPE = 0x15, "ESME_RINVSERTYP", "the service type is invalid";
    INVALID_DESTINATION_COUNT = 0x33, "ESME_RINVNUMDESTS", "the number of destinations is invalid";
    INVALID_LIST_NAME = 0x34, "ESME_RINVDLNAME", "the distribution list's name is invalid";
    INVALID_DESTINATION_FLAG = 0x40, "ESME_RINVDESTFLAG", "the destination flag is invalid";
    INVALID_REPLACE = 0x42, "ESME_RINVSUBREP", "a submit with replace is invalid";
    INVALID_ESM_CLASS = 0x43, "ESME_RINVESMCLASS", "the esm_class is invalid";
    CANNOT_SUBMIT_TO_LIST = 0x44, "ESME_RCNTSUBDL", "the distribution list can't be submitted to";
    SUBMIT_FAILED = 0x45, "ESME_RSUBMITFAIL", "the submit failed";
    INVALID_SOURCE_TON = 0x48, "ESME_RINVSRCTON", "the source's type of number is invalid";
    INVALID_SOURCE_NPI = 0x49, "ESME_RINVSRCNPI", "the source's numbering plan is invalid";
    INVALID_DESTINATION_TON = 0x50, "ESME_RINVDSTTON", "the destination's type of number is invalid";
    INVALID_DESTINATION_NPI = 0x51, "ESME_RINVDSTNPI", "the destination's numbering plan is invalid";
    INVALID_SYSTEM_TYPE = 0x53, "ESME_RINVSYSTYP", "the system_type is invalid";
    INVALID_REPLACE_FLAG = 0x54, "ESME_RINVREPFLAG", "the replace_if_present flag is invalid";
    INVALID_MESSAGE_COUNT = 0x55, "ESME_RINVNUMMSGS", "the number of messages is invalid";
    THROTTLED = 0x58, "ESME_RTHROTTLED", "the rate that is allowed is exceeded";
    INVALID_SCHEDULE = 0x61, "ESME_RINVSCHED", "the scheduled delivery time is invalid";
    INVALID_EXPIRY = 0x62, "ESME_RINVEXPIRY", "the validity period is invalid";
    INVALID_DEFAULT_MESSAGE = 0x63, "ESME_RINVDFTMSGID", "the predefined message is invalid or absent";
    TEMPORARY_ERROR = 0x64, "ESME_RX_T_APPN", "temporary error of the receiver";
    PERMANENT_ERROR = 0x65, "ESME_RX_P_APPN", "permanent error of the receiver";
    REJECTED_BY_RECEIVER = 0x66, "ESME_RX_R_APPN", "rejected by the receiver";
    QUERY_FAILED = 0x67, "ESME_RQUERYFAIL", "query_sm failed";
    INVALID_TLV_STREAM = 0xc0, "ESME_RINVOPTPARSTREAM", "the optional parameters can't be read";
    TLV_NOT_ALLOWED = 0xc1, "ESME_ROPTPARNOTALLWD", "an optional parameter is not allowed";
    INVALID_TLV_LENGTH = 0xc2, "ESME_RINVPARLEN", "a parameter's length is invalid";
    MISSING_TLV = 0xc3, "ESME_RMISSINGOPTPARAM", "an optional parameter is missing";
    INVALID_TLV_VALUE = 0xc4, "ESME_RINVOPTPARAMVAL", "an optional parameter's value is invalid";
    DELIVERY_FAILURE = 0xfe, "ESME_RDELIVERYFAILURE", "the delivery failed";
    UNKNOWN_ERROR = 0xff, "ESME_RUNKNOWNERR", "unknown error";
    // SMPP 5.0 4.7.6, sent by SMSCs that speak 3.4 as well.
    SERVICE_TYPE_DENIED = 0x100, "ESME_RSERTYPUNAUTH", "the service type is not allowed";
    PROHIBITED = 0x101, "ESME_RPROHIBITED", "the ESME may not do this";
    SERVICE_TYPE_UNAVAILABLE = 0x102, "ESME_RSERTYPUNAVAIL", "the service type is unavailable";
    SERVICE_TYPE_DENIED_NOW = 0x103, "ESME_RSERTYPDENIED", "the service type is denied";
    INVALID_DATA_CODING = 0x104, "ESME_RINVDCS", "the data_coding is invalid";
    INVALID_SOURCE_SUBUNIT = 0x105, "ESME_RINVSRCADDRSUBUNIT", "the source's subunit is invalid";
    INVALID_DESTINATION_SUBUNIT = 0x106, "ESME_RINVDSTADDRSUBUNIT", "the destination's subunit is invalid";
}

impl CommandStatus {
    /// Returns whether the request was taken.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.described() {
            Some((name, words)) => write!(f, "0x{:08X} {name}: {words}", self.0),
            None => write!(f, "0x{:08X}", self.0),
        }
    }
}

impl fmt::Debug for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)
    }
}
