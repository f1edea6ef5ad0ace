"""What Momentum 4 knows and Angarium does not serve: told apart from a misspelling, with what stands in its place.

All names of Momentum's summaries of configuration options, of 3 and of 4, are here or in the option table; a test has
the list.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

ADAPTIVE = "adaptive_"
CLUSTER = "cluster_"


class KnownName(NamedTuple):
    """A name as Momentum writes it, why it is not served, and what to write instead; empty: nothing."""

    name: str
    reason: str
    instead: str = ""


_Groups = tuple[tuple[str, str, str], ...]

_ADAPTIVE_BOUNDS = """
Adaptive_Body_Timeout Adaptive_EHLO_Timeout Adaptive_Idle_Timeout Adaptive_MailFrom_Timeout
Adaptive_Max_Deliveries_Per_Connection Adaptive_Max_Outbound_Connections Adaptive_Max_Recipients_Per_Batch
Adaptive_Max_Recipients_Per_Connection Adaptive_Max_Resident_Active_Queue Adaptive_Max_Retries
Adaptive_Max_Retry_Interval Adaptive_Outbound_Throttle_Messages Adaptive_RcptTo_Timeout Adaptive_Retry_Interval
Adaptive_RSET_Timeout
"""
_CLUSTER_LIMITS = """
Cluster_Max_Outbound_Connections Cluster_Outbound_Throttle_Connections Cluster_Outbound_Throttle_Messages
Cluster_Scope_Max_Outbound_Connections Cluster_Server_Max_Outbound_Connections
"""

_OPTIONS: _Groups = (
    ("mail is always synced before it is acknowledged", "", "Force_Fsync _Unsafe_Spool"),
    (
        "no option adapts itself to what peers answer yet",
        "",
        "Adaptive_Adjustment_Interval Adaptive_Adjustment_Notification_Interval Adaptive_Alert_Email_Destination "
        "Adaptive_Alert_Email_Sender Bounce_Sweep_Interval "
        "Adaptive_Attempt_Threshold Adaptive_Default_Suspension Adaptive_Default_Suspension_Enabled Adaptive_Enabled "
        "Adaptive_FBL_Volume_Threshold Adaptive_Notification_Events Adaptive_Notification_Interval "
        "Adaptive_Positive_Adjustment_Interval Adaptive_Rejection_Rate_Suspension_Percentage Adaptive_Retry_Fuzz "
        "Adaptive_Scope Adaptive_Sweep_Rule_Enabled Codes High_Action High_Threshold Low_Action Low_Threshold",
    ),
    (
        "there are no clusters of nodes yet",
        "",
        "ARP_All_Hosts Cluster_Group Control_Group Duravip_Balance_Set_Size Duravip_Follow Duravip_Preference "
        "Enable_Duravip Enabled Heartbeat_Start_Delay Heartbeats_Per_Sec If_Check_Interval If_Down_Limit "
        "Log_Active_Interval Log_Group Log_Idle_Interval NodeAddr NodeName Unconditional_Rebind View_Balance_Interval "
        "View_Broadcast_Interval View_Mature_Time Watch_Interval",
    ),
    (
        "logins are no configuration: angarium logins create makes one",
        "write AUTH in SMTP_Extensions, and the mechanisms in Auth_Mechanisms",
        "AuthCramMD5Parameters AuthDigestMD5Parameters AuthLoginParameters AuthPlainParameters",
    ),
    (
        "who may log in, and for what, is told by its login or key",
        "write Require_Authentication = true where nobody may send without",
        "Enable_Authentication Always_Deny",
    ),
    (
        "who may log in, and for what, is told by its login or key",
        "for SMTP without a login write Relay_Hosts, or Open_Relay inside Peer",
        "Always_Allow",
    ),
    (
        "an operator is who may use the node's socket, or has a key with the grant node/manage",
        "",
        "AuthorizationParameters Enable_Authorization Control_Client_Timeout Timeout",
    ),
    (
        "mail is not thrown away by configuration",
        "write Suspend_Delivery = true to hold it, or Routes to an angarium sink",
        "Blackhole",
    ),
    (
        "mail that is returned is found by its signed return path, or by its Message-ID",
        "write Bounce_Domain, or Bounce_Domains where senders choose their own return paths",
        "Bounce_Pattern Enable_FBL_Header_Insertion",
    ),
    (
        "a bounce is an event, and is passed on to nobody",
        "",
        "Bounce_Behavior Bounce_Cache_Size Bounce_Cache_TTL Bounce_Suppress_List MDN_Failures_Notify",
    ),
    (
        "whether opens and clicks are tracked is told by a message, its login, stream, server or account",
        "write Tracking_Domain, with the scheme in it; links do not expire",
        "Click_Tracking_Enabled Click_Tracking_Scheme Open_Tracking_Enabled Open_Tracking_Scheme "
        "Tracking_Link_Expiry",
    ),
    (
        "work is spread over processes, not threads",
        "write Workers, once for the node",
        "Backlog Concurrency Delivery_Pool Event_Loop Events_Per_Iter Hot_Domains Maintainer_Pool "
        "Max_Timed_Events_Per_Iter Pool_Name Scheduler Stack_Size",
    ),
    (
        "there is one queue of connections to take, the kernel's",
        "write Listen_Backlog",
        "Accept_Queue_Backlog",
    ),
    ("memory is bounded by the node itself", "write Memory_Limit, in bytes", "Memory_Goal Memory_HWM"),
    (
        "what is kept in memory is bounded as a whole",
        "write Max_Resident_Messages, Body_Cache_Size or Memory_Limit",
        "Disk_Queue_Drain_Rate Drop_Body_After_Trans_Fail Growbuf_Size Initial_Hash_Buckets "
        "Inline_Transfail_Processing Keep_Message_Dicts_In_Memory Mail_Queue_Check_VM_Interval Malloc2mmap_Threshold "
        "Max_Resident_Transfails "
        "PCRE_Cache_Size PCRE_Cache_TTL SIV_Throttle_Cache_Size Soft_Bounce_Drain_Rate "
        "Swap_Out_Meta_After_Each_Tempfail Transfail_Drain_Rate Use_Mmap Use_Sendfile",
    ),
    (
        "what is remembered of a configuration goes with it, at a reload",
        "its size is Match_Cache_Size",
        "Match_Cache_Life",
    ),
    (
        "a message is never read as a whole while it comes in",
        "large ones are those above Large_Message_Threshold",
        "Legacy_Message_Threshold MIME_Parse_Large_Messages_During_Reception",
    ),
    (
        "answers are forgotten with their TTL",
        "",
        "DNS_Cache_Purge_Interval DNS_Expire_Interval TLSA_Expire_Interval",
    ),
    (
        "mail whose domain cannot be looked up waits until Message_Expiration",
        "",
        "DNS_Failures_To_Purge",
    ),
    ("truncated answers are always asked for again over TCP", "", "DNS_Fallback_To_TCP"),
    (
        "each question leaves from a port of its own, and their number has no limit",
        "the times are DNS_Timeout and DNS_Deadline",
        "DNS_Max_UDP_Queries_Per_Port DNS_Rate_Limit_Enabled DNS_Rate_Limit_Max_Queue DNS_Rate_Limit_MX_Queries "
        "DNS_Rate_Limit_Period DNS_UDP_RcvBuf_Size DNS_UDP_SndBuf_Size",
    ),
    (
        "mail hosts are tried by preference, and in random order within one",
        "",
        "Address_Metrics_Cleanse_Interval Address_Metrics_Lifetime Fully_Resolve_Before_SMTP "
        "Only_Use_Best_MX_For_Relay_Domains Use_IfList_Cache",
    ),
    (
        "queues are woken exactly when mail is due",
        "",
        "Clear_Mail_Queue_Maintainers Delayed_Queue_Scan_Interval Reserve_Maintenance_Interval",
    ),
    (
        "waits are stretched by up to 20 %, so that retries spread by themselves",
        "",
        "Delayed_Binding_Domain_Fuzz",
    ),
    (
        "connections are shared out among queues in turn",
        "",
        "Connection_Allocation_Aggressiveness Migrate_Connections_Between_Sibling_Domains "
        "Server_Reserve_Outbound_Connections",
    ),
    (
        "recipients of one message share a transaction where they get the same bytes",
        "their number is Max_Recipients_Per_Batch",
        "Expensive_Batch_Assessment",
    ),
    (
        "a domain is sent elsewhere by a stanza",
        'write Domain "example.com" { Gateway = "relay.example" }',
        "Reroute_Domain Delayed_Reroute_Domain",
    ),
    (
        "mail that no Binding_Rule gives a binding is of the binding default",
        'write Binding "default" { Suspend_Delivery = true } to hold it',
        "Default_Binding",
    ),
    ("source addresses are the system's to set up", "write Bind_Address", "Binding_Auto_Replumb_Interval"),
    ("addresses are not rewritten", "", "Alias_Schemes"),
    (
        "log times are written as RFC 3339 has them",
        "",
        "Log_Hires_Timestamp TimestampFormat",
    ),
    (
        "the log is one stream, on standard error",
        "write Log_Level and Log_Format",
        "Control_Cache Critical Debug Debug_Level Debug_Throttle_Max_Num_Same_Message Debug_Throttle_Period_Secs "
        "Dir_Mode Error Info Logfile Logs Log_Requests_To_Paniclog Max_Idle Max_Open Notice Signing_Stats "
        "Trace_SMTP_Mode Warning",
    ),
    (
        "the log is one stream, on standard error",
        "for files that hold it see journald or logrotate",
        "MasterDB_File Permastore_Interval",
    ),
    (
        "the service manager does that (docs/service.md)",
        "",
        "Capabilities Chroot Group Pidfile Privileges Supplemental_Groups User",
    ),
    (
        "the service manager does that (docs/service.md)",
        "write LimitNOFILE there, or ulimit -n",
        "Server_Max_File_Descriptors",
    ),
    ("files of the spool are for the node's own user alone", "", "Spool_Mode"),
    ("a spool that cannot be read is set aside and counted, never removed", "", "Unlink_On_Spool_In_Failure"),
    ("there is no licence to name", "", "License"),
    (
        "nothing changes the configuration but its files",
        "write include for further ones",
        "EC_Conf_Search_Path Local_Changes_File Local_Changes_Only",
    ),
    (
        "OpenSSL's own choice holds",
        "the versions are TLS_Protocols, the ciphers up to TLS 1.2 TLS_Ciphers",
        "Crypto_Engine Crypto_Lock_Method SSL_Lock_Method TLS_DHParams_File TLS_EC_Curve_Names TLS_Enable_DHE_Ciphers "
        "TLS_Engine TLSv13_Ciphersuites",
    ),
    ("TLS is never negotiated anew inside a connection", "", "TLS_Allow_Renegotiation"),
    (
        "certificates are no login for HTTP",
        "for SMTP write TLS_Verified_Peer_Can_Relay",
        "TLS_Verified_Peer_Is_Authorized",
    ),
    (
        "policies that domains publish are not looked up yet",
        "write TLS = required and TLS_Verify = host for a domain",
        "Enable_DANE Enable_MTA_STS MTA_STS_DNS_CNAME_Max_Depth MTA_STS_Policy_Store Use_DANE Use_MTA_STS",
    ),
    (
        "blanks where none belong are taken unless addresses must be exact",
        "write RFC2821_Pedantic_Address_Rules",
        "Allow_Trailing_Whitespace_In_Commands RFC2821_Allow_Whitespace_In_Envelope",
    ),
    (
        "no policy scripts read it",
        "a choice of binding is a Binding_Rule",
        "Context Exclude_VCTX_Conn Exclude_VCTX_Mess",
    ),
    (
        "there are no pathways",
        "write the pathway's options into ESMTP_Listener, Listen or Peer",
        "Pathway",
    ),
    (
        "mail in is limited for accounts and servers: angarium accounts change --rate",
        "for all write Listener_Sessions or Sessions_Per_Peer",
        "Inbound_Throttle_Messages",
    ),
    ("all sessions of a scope are counted together", "write Listener_Sessions", "Service_Sessions"),
    ("requests by HTTP have a fixed limit", "", "Max_Request_Size"),
    ("the words of our replies are fixed", "", "Reconfig_Message"),
    ("what peers reply cannot be rewritten", "", "Response_Transcode_Pattern Response_Transcode_Replace"),
    ("a header is asked for where mail is submitted, and not elsewhere", "", "RFC2822_Missing_Headers"),
    (
        "one option says what becomes of long lines",
        "write RFC2822_Max_Line_Length = ignore | fix | reject",
        "RFC2822_Max_Line_Length_Policy",
    ),
    (
        "who may relay gets Hostname where an address has no domain",
        "write Hostname",
        "Domain_For_Unqualified_Recipient_Addresses Domain_For_Unqualified_Sender_Address",
    ),
    ("notifications are written in UTF-8", "", "Default_Charset"),
    (
        "each recipient has its own answer or notification",
        "whether there are any is Generate_Bounces",
        "Async_Bounce_Rendering Generate_Bounces_For_Multi_Recipient_Policy_Rejections",
    ),
    (
        "the system's sizes hold, and nothing waits to be sent in larger pieces",
        "",
        "Disable_Nagle_Algorithm TCP_Buffer_Size TCP_Recv_Buffer_Size TCP_Send_Buffer_Size",
    ),
    (
        "8BITMIME is spoken where the peer offers it",
        "for peers that do not, write Transform_8BitMime_Content",
        "Send_8BitMime",
    ),
    ("DomainKeys has been replaced by DKIM", "write OpenDKIM_Sign", "DomainKeys"),
    ("one option says whether mail is signed", "write OpenDKIM_Sign", "DKIM"),
    (
        "a worker that has said nothing for some time is started anew",
        "write Worker_Timeout",
        "Watchdog_Interval",
    ),
    ("a domain's hosts are named in its stanza", 'write Routes = ( "host" ) in Domain', "Force_MX"),
    (
        "a PROXY header is read, not sent",
        "",
        "HA_Proxy_Client",
    ),
    (
        "ECStream is not spoken",
        "write Delivery_Method = ESMTP or LMTP",
        "ECStream_Idle_Time ECStream_Max_Batch_Size ECStream_Port ECStream_Timeout",
    ),
    (
        "mail alone is delivered, and by SMTP or LMTP",
        "",
        "APN_Expiry Delivery_Response_Timeout Disable_Chunked GCM_Application_ID GCM_Authorization_Token_ID "
        "GCM_Delay_While_Idle GCM_Dry_Run GCM_TTL HTTP_Basic_Auth HTTP_Host HTTP_Method HTTP_URI HTTP_Version "
        "MCMT_Reception XMPP_Dialback_Secret XMPP_Role",
    ),
    (
        "there is no SNMP",
        "numbers are at /metrics of HTTP_Listener",
        "Address Community State SysContact SysDescription SysLocation Trap_Destination Trap_Interval Watch_Variables",
    ),
    (
        "delivery is suspended by hand, not by the clock, yet",
        "write Suspend_Delivery",
        "Schedule_File Timezone",
    ),
)

_STANZAS: _Groups = (
    (
        "there are no pathways",
        "write their options into ESMTP_Listener, Listen or Peer",
        "Pathway Pathway_Group",
    ),
    (
        "no option adapts itself to what peers answer yet",
        "",
        "Adaptive Adaptive_Backstore_LevelDB Adaptive_Backstore_Riak Adaptive_Sweep_Rule",
    ),
    (
        "there are no clusters of nodes yet",
        "",
        "Cluster ECCluster_Listener Manager MBus_Daemon MSGC_Client "
        "MSGC_Server MsgcServer_Listener Node Persist_IO Replicate "
        "Subcluster Topology",
    ),
    (
        "the command angarium speaks over a socket in the data folder",
        "",
        "Authorization Control_Listener Options_Console Role Scheme",
    ),
    (
        "logins are no configuration: angarium logins create makes one",
        "write AUTH in SMTP_Extensions, and the mechanisms in Auth_Mechanisms",
        "AC_Auth Auth_DS Auth_Radius Authenticate SecureCreds SMTP_Auth_Proxy SMTP_RcptTo_Proxy",
    ),
    (
        "the node signs for each domain that has a verified key: angarium domains add",
        "write OpenDKIM_Sign, DKIM_Headers and DKIM_Oversign_Headers at the top level",
        "DKIM DKIM_Domain DK_Domain DK_Sign DomainKeys OpenARC OpenDKIM",
    ),
    (
        "logging in to a peer needs no module",
        "write Outbound_SMTP_AUTH_Type, _User and _Pass at the top level or in Domain",
        "Outbound_SMTP_Auth",
    ),
    ("a second source address needs no module", "write Bind_Address_Secondary", "Bind_Address_Secondary"),
    ("delays are told without a module", "write Generate_Delay_DSN", "Delay_DSN"),
    (
        "a domain's hosts are named in its stanza",
        'write Domain "example.com" { Routes = ( "host:port" ) }',
        "MXIP Static_Routes",
    ),
    ("mail that goes round is refused without a module", "write Max_Received_Headers", "Mail_Loop"),
    (
        "mail is always on disk before it is acknowledged",
        "",
        "Compress_Spool DNSBuf Suppress_Spool",
    ),
    (
        "the log is one stream, on standard error",
        "write Log_Level and Log_Format",
        "AS_Logger Bounce_Logger Chunk_Logger Custom_Bounce_Logger Custom_Logger Debug_Flags EC_Logger Event_Hydrant "
        "Exim_Logger HTTP_Logger ILF_Logger Inbound_Audit JLog Logs Outbound_Audit Pipe_IO Postfix_Logger "
        "Reception_Timing Reception_Timing_Logger Sendmail_Logger Syslog_IO",
    ),
    (
        "complaints are read without a module",
        "write Feedback_Addresses, see docs/bounces.md",
        "FBL",
    ),
    (
        "what replies mean is a table of Angarium's own, see docs/bounces.md",
        "",
        "Bounce_Classifier_Override Live_Bounce_Updates",
    ),
    (
        "opens and clicks are not tracked yet",
        "",
        "Engage_Tracker Engagement_Tracker Msg_Gen Substitution_Engine",
    ),
    (
        "X-MSYS-API and the other services' header fields are read without a module",
        "see docs/message-options.md",
        "SMTPAPI",
    ),
    (
        "policies that domains publish are not looked up yet",
        "write TLS = required and TLS_Verify = host for a domain",
        "DANE MTA_STS",
    ),
    (
        "there are no policy scripts",
        "a choice of binding is a Binding_Rule",
        "Alias Datasource DS_Core DS_LDAP EnumGroups Match_Header QueryGroups Riak Sched Script Scriptlet Server",
    ),
    ("what peers reply cannot be rewritten", "", "Response_Transcode"),
    (
        "mail is not searched for spam and viruses",
        "have it relayed through a filter, see docs/relay-for-postfix.md",
        "Alerting Antivirus Beik Brightmail CIDRDB ClamAV Cloudmark Commtouch Commtouch_CtasD Conntrol CSAPI Eleven "
        "Fingerprint Host_Fingerprint DK_Validate SenderID SMTP_CBV SpamAssassin SPF SPF_Macros URL_Ripper",
    ),
    ("mail is not copied to test addresses", "", "Maildir Pipe_Transport Seedlist"),
    ("a PROXY header is read, not sent", "", "HA_Proxy_Client"),
    ("delivery is suspended by hand, not by the clock, yet", "write Suspend_Delivery", "Curfew"),
    ("the service manager does that (docs/service.md)", "", "Security"),
    ("source addresses are the system's to set up", "write Bind_Address", "Binding_Auto_Replumb IPv6_Lookup"),
    (
        "work is spread over processes, not threads",
        "write Workers, once for the node",
        "EventLoop ThreadPool",
    ),
    (
        "HTTP is served without a module",
        "write HTTP_Listener",
        "HTTPSrv",
    ),
    ("there is no SNMP", "numbers are at /metrics of HTTP_Listener", "SNMP SNMP_Traps"),
    ("ECStream is not spoken", "write ESMTP_Listener", "ECStream_Listener"),
    ("mail alone is delivered", "", "Cassandra_Client MSGC XMPP_Listener"),
)


def _each(groups: _Groups) -> Iterator[KnownName]:
    return (KnownName(name, reason, instead) for reason, instead, names in groups for name in names.split())


def _prefixed(names: str, prefix: str, reason: str) -> Iterator[KnownName]:
    """Yield options whose name without *prefix* is the option that is served instead."""
    return (KnownName(name, reason, f"write {name[len(prefix) :]} itself") for name in names.split())


def _table(found: Iterable[KnownName]) -> dict[str, KnownName]:
    return {known.name.lower(): known for known in found}


KNOWN_OPTIONS: dict[str, KnownName] = _table(
    (
        *_each(_OPTIONS),
        *_prefixed(_ADAPTIVE_BOUNDS, ADAPTIVE, "no option adapts itself to what peers answer yet"),
        *_prefixed(
            _CLUSTER_LIMITS, CLUSTER, "a limit holds for one node, and there are no clusters of nodes yet"
        ),
    )
)
"""Options by their name in lower case."""

KNOWN_STANZAS: dict[str, KnownName] = _table(_each(_STANZAS))
"""Scopes and modules by their name in lower case."""
