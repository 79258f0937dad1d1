package control

// Kind says how a control file is read; the package documentation describes them.
type Kind string

const (
	Line   Kind = "line"
	Number Kind = "number"
	List   Kind = "list"
)

// DefaultMe stands for the value of control/me.
const DefaultMe = "\x00me"

// File describes one control file.
type File struct {
	Name    string
	Kind    Kind
	Default string   // [DefaultMe], a value, the name of another number, or empty for none
	Readers []string // the programs that read it
	Doc     string   // what it is, in a phrase
}

// Files are all the control files that there are, by name. qmail-control(5) has
// the same table.
var Files = []File{
	{"authcleartext", List, "", []string{"qmail-remote"}, "relays that may hear a password without TLS"},
	{"authsenders", List, "", []string{"qmail-remote"}, "relays, with user and password, by sender"},
	{"badmailfrom", List, "", []string{"qmail-smtpd"}, "senders whose mail is refused"},
	{"badrcptto", List, "", []string{"qmail-smtpd"}, "recipients that are refused"},
	{"badrcpttonorelay", List, "", []string{"qmail-smtpd"}, "the same, from clients that may not relay"},
	{"bindroutes", List, "", []string{"qmail-remote"}, "addresses to connect from, by where to"},
	{"bouncefrom", Line, "MAILER-DAEMON", []string{"qmail-send"}, "local part of the sender of bounces"},
	{"bouncehost", Line, DefaultMe, []string{"qmail-send"}, "host of the sender of bounces"},
	{"bounceinterval", Number, "0", []string{"qmail-send"}, "seconds between two notices about a message; 0: one at its end"},
	{"bouncelifetime", Number, "queuelifetime", []string{"qmail-send"}, "seconds that a bounce is tried for"},
	{"bouncemaxbytes", Number, "0", []string{"qmail-send"}, "how much of a message is sent back; 0: all"},
	{"bouncemime", Number, "0", []string{"qmail-send"}, "1: bounces are multipart/report"},
	{"brtlimit", Number, "0", []string{"qmail-smtpd"}, "refused recipients in a session, after which it ends; 0: no limit"},
	{"concurrencydestination", Number, "0", []string{"qmail-send"}, "remote deliveries at a time to one host; 0: three quarters of all"},
	{"concurrencyincoming", Number, "100", []string{"qmail-smtpd", "qmail-qmtpd", "qmail-qmqpd"}, "connections at a time"},
	{"concurrencylocal", Number, "10", []string{"qmail-send"}, "local deliveries at a time"},
	{"concurrencyperaddress", Number, "10", []string{"qmail-smtpd", "qmail-qmtpd", "qmail-qmqpd"}, "of those, from one address"},
	{"concurrencyremote", Number, "20", []string{"qmail-send"}, "remote deliveries at a time"},
	{"confine", Number, "1", []string{"qmail-clean", "qmail-qmqpd", "qmail-qmtpd", "qmail-queue", "qmail-remote", "qmail-rspawn", "qmail-send", "qmail-smtpd"}, "whether programs give up what they do not need; 0: no, 2: and tell"},
	{"custombouncetext", List, "", []string{"qmail-send"}, "text of the administrator's own in bounces"},
	{"databytes", Number, "0", []string{"qmail-smtpd", "qmail-qmtpd"}, "size of the largest message that is taken"},
	{"defaultdelivery", List, "", []string{"qmail-explain"}, "instructions for users without any, which whoever starts qmail-start gives it"},
	{"defaultdomain", Line, DefaultMe, []string{"qmail-inject"}, "added to hosts without a dot"},
	{"defaulthost", Line, DefaultMe, []string{"qmail-inject"}, "added to addresses without a host"},
	{"delaywarning", Number, "0", []string{"qmail-send"}, "hours until a sender is warned of a delay; 0: never"},
	{"domainbindings", List, "", []string{"qmail-remote"}, "addresses to connect from, by sender"},
	{"domaincerts", List, "", []string{"qmail-remote"}, "certificates to show to servers, by domain of the sender"},
	{"domainips", List, "", []string{"qmail-remote"}, "addresses to connect from, and names to say there, by sender"},
	{"doublebouncehost", Line, DefaultMe, []string{"qmail-send"}, "host that double bounces go to"},
	{"doublebounceto", Line, "postmaster", []string{"qmail-send"}, "local part that double bounces go to"},
	{"enhancedstatuscodes", Number, "0", []string{"qmail-smtpd"}, "whether replies begin with status codes"},
	{"envnoathost", Line, DefaultMe, []string{"qmail-send"}, "host of recipients without one"},
	{"goodrcptto", List, "", []string{"qmail-smtpd"}, "the only recipients that are taken"},
	{"helohost", Line, DefaultMe, []string{"qmail-remote"}, "name that this host says in HELO"},
	{"idhost", Line, DefaultMe, []string{"qmail-inject"}, "host in Message-ID"},
	{"localiphost", Line, DefaultMe, []string{"qmail-smtpd"}, "name for this host's addresses in brackets"},
	{"locals", List, DefaultMe, []string{"qmail-send"}, "hosts whose mail is delivered here"},
	{"logstatus", Number, "0", []string{"qmail-send"}, "1: the log has the status code of failures and deferrals"},
	{"masquerade", List, "", []string{"sendmail"}, "what senders are called, by address or host"},
	{"maxrcpt", Number, "10000", []string{"qmail-smtpd"}, "recipients of a message"},
	{"me", Line, "", []string{"qmail-send", "qmail-inject", "qmail-remote", "qmail-smtpd"}, "name of this host, default of others"},
	{"moreipme", List, "", []string{"qmail-remote"}, "more addresses of this host"},
	{"morercpthosts", List, "", []string{"qmail-newmrh"}, "more of rcpthosts"},
	{"morevalidrcptto", List, "", []string{"qmail-newmvrt"}, "more of validrcptto"},
	{"notipme", List, "", []string{"qmail-remote"}, "addresses that are not this host's"},
	{"outgoingip", List, "", []string{"qmail-remote"}, "addresses to connect from"},
	{"percenthack", List, "", []string{"qmail-send"}, "hosts for which user%host@... is user@host"},
	{"plusdomain", Line, DefaultMe, []string{"qmail-inject"}, "added to hosts that end in +"},
	{"qmqpservers", List, "", []string{"qmail-qmqpc"}, "hosts that queue this host's mail"},
	{"qmtproutes", List, "", []string{"qmail-remote"}, "relays that speak QMTP, by host"},
	{"queuelifetime", Number, "604800", []string{"qmail-send"}, "seconds that a message is tried for"},
	{"rcptcheck", Number, "0", []string{"qmail-smtpd"}, "1: qmail-rcptcheck is asked about each recipient"},
	{"rcpthosts", List, "", []string{"qmail-smtpd", "qmail-qmtpd"}, "hosts that mail is taken for"},
	{"smtpgreeting", Line, DefaultMe, []string{"qmail-smtpd"}, "what the server calls itself"},
	{"smtpplugins", List, "", []string{"qmail-smtpd"}, "programs that are asked about SMTP commands"},
	{"smtproutes", List, "", []string{"qmail-remote"}, "relays, by host"},
	{"smtpusers", List, "", []string{"qmail-smtpd"}, "users who may relay, and what is kept of their passwords"},
	{"timeoutconnect", Number, "60", []string{"qmail-remote"}, "seconds to wait for a connection"},
	{"timeoutremote", Number, "1200", []string{"qmail-remote"}, "seconds to wait for each answer"},
	{"timeoutsmtpd", Number, "1200", []string{"qmail-smtpd"}, "seconds to wait for each piece of input"},
	{"tlsclientciphers", Line, "", []string{"qmail-remote"}, "ciphers for TLS 1.2 of qmail-remote"},
	{"tlsclients", List, "", []string{"qmail-smtpd"}, "mail addresses in certificates of clients that may relay"},
	{"tlsdestinations", List, "", []string{"qmail-remote"}, "what is required of servers, TLS or more"},
	{"tlsserverciphers", Line, "", []string{"qmail-smtpd", "qmail-popup"}, "ciphers for TLS 1.2 of the servers"},
	{"validrcptto", List, "", []string{"qmail-smtpd"}, "recipients that there are, and with a dash, that there are not"},
	{"virtualdomains", List, "", []string{"qmail-send"}, "hosts and users whose mail one user gets"},
}
