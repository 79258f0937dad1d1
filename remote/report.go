package remote

import (
	"bufio"
	"errors"
	"io"
	"net/netip"

	"goqmail/internal/fault"
)

// What goes wrong outside the SMTP conversation. The texts are interface.
var (
	ErrUsage   = fault.Hard("I (qmail-remote) was invoked improperly. (#5.3.5)")
	ErrHome    = fault.Soft("Unable to switch to home directory. (#4.3.0)", nil)
	ErrControl = fault.Soft("Unable to read control files. (#4.3.0)", nil)

	errSystem       = fault.Soft("System resources temporarily unavailable. (#4.3.0)", nil)
	errNoConnection = fault.Soft("Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)", nil)
	errDNS          = fault.Soft("Sorry, I couldn't find any host by that name. (#4.1.2)", nil)
	errNoAddress    = fault.Hard("Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)")
	errNullMX       = fault.Hard("Sorry, that host does not accept mail. (#5.1.10)")
	errOwnAddress   = fault.Hard("Sorry. Although I'm listed as a best-preference MX or A for that host,\n" +
		"it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)")
	errMessage     = fault.Soft("Unable to read message. (#4.3.0)", nil)
	errPartialLine = fault.Hard("SMTP cannot transfer messages with partial final lines. (#5.6.2)")
	errSender      = fault.Hard("SMTP cannot transfer a sender address with a line break in it. (#5.1.7)")
	errQMTP        = fault.Soft("Recipient did not talk proper QMTP (#4.3.0)", nil)
	errRecipient   = fault.Hard("SMTP cannot transfer a recipient address with a line break in it. (#5.1.3)")
)

// errUnknownHost says that the DNS has no such host.
func errUnknownHost(host string) error {
	return fault.Hard("Sorry, I couldn't find any host named " + printable(host) + ". (#5.1.2)")
}

// errBind says that this host cannot connect from the address it was told to.
func errBind(from netip.Addr) error {
	return fault.Soft("Can't bind to local ip address: "+from.String()+". (#4.3.0)", nil)
}

// printable returns s with ? for every byte that is not a visible ASCII character.
func printable(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c <= ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// verdict is one report: its letter and its text.
type verdict struct {
	letter byte
	text   string
}

// verdictOf makes an error the report on a message.
func verdictOf(err error) verdict {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		e = errSystem
	}
	if e.Perm {
		return verdict{'D', e.Text + "\n"}
	}
	return verdict{'Z', e.Text + "\n"}
}

// Fail writes the report on a message that could not be sent because of err.
func Fail(out io.Writer, err error) error {
	reports := newReporter(out)
	reports.put(verdictOf(err))
	return reports.flush()
}

// answer is what a host says of a recipient.
type answer struct {
	verdict verdict // r, h or s
	code    int     // of the reply; 0 if there was none
	tooMany bool    // it may be that the transaction has too many recipients
	// message is the verdict on the message for this recipient alone; nil if it is that
	// for all.
	message *verdict
}

// notOfMailbox reports whether a refusal for good is none that RFC 5321 section 4.2.3 has
// for a mailbox: it may be about the transaction.
func (a answer) notOfMailbox() bool {
	return a.code >= 500 && a.code < 600 && a.code != 550 && a.code != 551 && a.code != 553
}

// hearer hears what a host says of the recipients of a message, in their order.
type hearer interface{ hear(answer) }

// reporter writes reports.
type reporter struct{ out *bufio.Writer }

func newReporter(out io.Writer) *reporter { return &reporter{bufio.NewWriter(out)} }

func (r *reporter) hear(a answer) { r.put(a.verdict) }

func (r *reporter) put(v verdict) {
	r.out.WriteByte(v.letter)
	r.out.WriteString(v.text)
	r.out.WriteByte(0)
}

func (r *reporter) flush() error { return r.out.Flush() }
