package showctl

import "goqmail/control"

// cdb is what qmail-newmrh makes of morercpthosts.
const cdb = "morercpthosts.cdb"

// entry is how a control file is told of: words before and after its value, or
// each of its lines.
type entry struct {
	name          string
	kind          control.Kind
	before, after string
	none          string // told if there is no file; for a line empty: its default
}

// entries are the files that qmail's qmail-showctl knows, in its order. Its words
// are read by scripts.
var entries = []entry{
	{"badmailfrom", control.List, "", " not accepted in MAIL FROM.", "Any MAIL FROM is allowed."},
	{"bouncefrom", control.Line, "Bounce user name is ", "", ""},
	{"bouncehost", control.Line, "Bounce host name is ", "", ""},
	{"concurrencylocal", control.Number, "Local concurrency is ", "", ""},
	{"concurrencyremote", control.Number, "Remote concurrency is ", "", ""},
	{"databytes", control.Number, "SMTP DATA limit is ", " bytes", ""},
	{"defaultdomain", control.Line, "Default domain name is ", "", ""},
	{"defaulthost", control.Line, "Default host name is ", "", ""},
	{"doublebouncehost", control.Line, "2B recipient host: ", "", ""},
	{"doublebounceto", control.Line, "2B recipient user: ", "", ""},
	{"envnoathost", control.Line, "Presumed domain name is ", "", ""},
	{"helohost", control.Line, "SMTP client HELO host name is ", "", ""},
	{"idhost", control.Line, "Message-ID host name is ", "", ""},
	{"localiphost", control.Line, "Local IP address becomes ", "", ""},
	{"locals", control.List, "Messages for ", " are delivered locally.", "Messages for me are delivered locally."},
	{"me", control.Line, "My name is ", "", "undefined! Uh-oh"},
	{"percenthack", control.List, "The percent hack is allowed for user%host@", ".", "The percent hack is not allowed."},
	{"plusdomain", control.Line, "Plus domain name is ", "", ""},
	{"qmqpservers", control.List, "QMQP server: ", ".", "No QMQP servers."},
	{"queuelifetime", control.Number, "Message lifetime in the queue is ", " seconds", ""},
	// Compat: qmail-smtpd takes mail for no host then; a problem in the head says so.
	{"rcpthosts", control.List, "SMTP clients may send messages to recipients at ", ".", "SMTP clients may send messages to any recipient."},
	{"morercpthosts", control.List, "SMTP clients may send messages to recipients at ", ".", "No effect."},
	{cdb, "", "", "", ""},
	{"smtpgreeting", control.Line, "SMTP greeting: 220 ", "", ""},
	{"smtproutes", control.List, "SMTP route: ", "", "No artificial SMTP routes."},
	{"timeoutconnect", control.Number, "SMTP client connection timeout is ", " seconds", ""},
	{"timeoutremote", control.Number, "SMTP client data timeout is ", " seconds", ""},
	{"timeoutsmtpd", control.Number, "SMTP server data timeout is ", " seconds", ""},
	{"virtualdomains", control.List, "Virtual domain: ", "", "No virtual domains."},
}

// irrelevant is morercpthosts without rcpthosts.
var irrelevant = entry{"morercpthosts", control.List, "No rcpthosts; doesn't matter that morercpthosts has ", ".",
	"No rcpthosts; morercpthosts is irrelevant."}
