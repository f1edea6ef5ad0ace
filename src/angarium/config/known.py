"""What Momentum knows and Angarium does not serve yet: told apart from a misspelling."""

_OPTIONS = """
Adaptive_Adjustment_Interval Adaptive_Adjustment_Notification_Interval Adaptive_Alert_Email_Destination
Adaptive_Attempt_Threshold Adaptive_Default_Suspension Adaptive_Default_Suspension_Enabled
Adaptive_Enabled Adaptive_FBL_Volume_Threshold Adaptive_Max_Deliveries_Per_Connection
Adaptive_Max_Outbound_Connections Adaptive_Max_Retries Adaptive_Max_Retry_Interval
Adaptive_Notification_Events Adaptive_Notification_Interval Adaptive_Outbound_Throttle_Messages
Adaptive_Positive_Adjustment_Interval Adaptive_Rejection_Rate_Suspension_Percentage Adaptive_Retry_Fuzz
Adaptive_Retry_Interval Adaptive_Scope Adaptive_Sweep_Rule_Enabled Always_Allow Always_Deny
AuthCramMD5Parameters AuthDigestMD5Parameters AuthLoginParameters AuthPlainParameters Blackhole
Bounce_Behavior Bounce_Domains Bounce_Pattern Bounce_Suppress_List Click_Tracking_Enabled
Click_Tracking_Scheme Cluster_Max_Outbound_Connections Cluster_Outbound_Throttle_Connections
Cluster_Outbound_Throttle_Messages Cluster_Scope_Max_Outbound_Connections
Cluster_Server_Max_Outbound_Connections Concurrency Connection_Allocation_Aggressiveness Context
Debug_Level Default_Binding Delayed_Binding_Domain_Fuzz Delayed_Queue_Scan_Interval
Delayed_Reroute_Domain Delivery_Pool Disk_Queue_Drain_Rate DNS_Cache_Purge_Interval DNS_Expire_Interval
DNS_Failures_To_Purge DNS_Fallback_To_TCP DNS_Rate_Limit_Enabled DNS_Rate_Limit_Max_Queue
DNS_Rate_Limit_MX_Queries DNS_Rate_Limit_Period Domain_For_Unqualified_Recipient_Addresses
Domain_For_Unqualified_Sender_Address Drop_Body_After_Trans_Fail Duravip_Follow Duravip_Preference
EC_Conf_Search_Path ECStream_Idle_Time ECStream_Max_Batch_Size ECStream_Port Enable_Authentication
Enable_Authorization Enable_DANE Enable_Duravip Enable_FBL_Header_Insertion Enable_MTA_STS Event_Loop
Exclude_VCTX_Conn Exclude_VCTX_Mess Force_Fsync Fully_Resolve_Before_SMTP Growbuf_Size HA_Proxy_Client
Hot_Domains Inbound_Throttle_Messages Inline_Transfail_Processing Keep_Message_Dicts_In_Memory
Local_Changes_File Local_Changes_Only Log_Hires_Timestamp Log_Requests_To_Paniclog Maintainer_Pool
MasterDB_File Max_Request_Size Max_Resident_Transfails MDN_Failures_Notify Memory_Goal Memory_HWM
Only_Use_Best_MX_For_Relay_Domains Open_Tracking_Enabled Open_Tracking_Scheme Pathway Permastore_Interval
Pidfile Pool_Name Reroute_Domain Reserve_Maintenance_Interval Response_Transcode_Pattern
Response_Transcode_Replace RFC2822_Missing_Headers Send_8BitMime Server_Max_File_Descriptors
Server_Reserve_Outbound_Connections
Service_Sessions Soft_Bounce_Drain_Rate Spool_Mode Swap_Out_Meta_After_Each_Tempfail TCP_Recv_Buffer_Size
TCP_Send_Buffer_Size Timeout TimestampFormat TLSv13_Ciphersuites Tracking_Domain Tracking_Link_Expiry
Transfail_Drain_Rate Use_DANE Use_MTA_STS _Unsafe_Spool
"""

_STANZAS = """
Adaptive Adaptive_Sweep_Rule Auth_DS Authorization Bounce_Classifier_Override Bounce_Logger Cluster
Control_Listener Custom_Logger DANE Datasource Debug_Flags DKIM_Domain DS_Core EC_Logger ECCluster_Listener
ECStream_Listener Event_Hydrant EventLoop FBL Mail_Loop Msg_Gen MTA_STS Node OpenDKIM Outbound_SMTP_Auth
Pathway Pathway_Group Persist_IO Replicate Scriptlet Security SMTPAPI Static_Routes Suppress_Spool ThreadPool
Topology
"""

KNOWN_NOT_SERVED: dict[str, str] = {name.lower(): name for name in _OPTIONS.split()}
"""Options by their name in lower case."""

KNOWN_STANZAS: dict[str, str] = {name.lower(): name for name in _STANZAS.split()}
"""Scopes and modules by their name in lower case."""

REMARKS = {
    "dns_fallback_to_tcp": "truncated answers are always asked for again over TCP; leave it out",
    "domain_for_unqualified_recipient_addresses": "whoever may relay gets Hostname there; leave it out",
    "domain_for_unqualified_sender_address": "whoever may relay gets Hostname there; leave it out",
    "force_fsync": "mail is always synced before it is acknowledged; leave it out",
    "_unsafe_spool": "mail is always synced before it is acknowledged; leave it out",
    "delayed_queue_scan_interval": "queues are woken exactly when mail is due; leave it out",
    "memory_goal": "write Memory_Limit, in bytes",
    "memory_hwm": "write Memory_Limit, in bytes",
    "timestampformat": "log times are ISO 8601; leave it out",
}
"""What to do instead, for some of them."""
