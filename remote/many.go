package remote

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Errand is one recipient that a message is to be sent to.
type Errand struct {
	Host      string // see [Mail]
	Sender    string
	Recipient string
}

// mostRecipients is how many recipients a transaction has at most: what every server
// has to take, RFC 5321 section 4.5.3.1.8.
const mostRecipients = 100

// SendAll sends a message of so many bytes to many recipients, and calls done once for
// each, by its index, with what [Client.Send] would write for it alone. It may do so
// from several goroutines at a time.
//
// Those who have the sender in common, and to whom the same servers lead, share
// transactions. Senders are never mixed. What a host says of a transaction as a whole,
// and would perhaps not say of each recipient, is no report: they go once more, alone.
func (c *Client) SendAll(ctx context.Context, s *Settings, message io.ReaderAt, size int64, errands []Errand, done func(i int, reports string)) {
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	own := *s
	if s.Policy != nil {
		own.Policy = &recentPolicy{policy: s.Policy, now: c.Now}
	}
	b := &batch{client: c, ctx: ctx, settings: &own, text: &text{file: message, size: size, many: len(errands) > 1}, errands: errands, done: done}
	ways, order := b.ways()
	b.direct = map[string]*group{}
	for _, w := range order {
		for chunk := range slices.Chunk(ways[w], evenly(len(ways[w]), mostRecipients)) {
			b.work.Go(func() { b.send(w, chunk) })
		}
	}
	b.work.Wait()
}

// evenly returns the size of equal parts of count that have no more than most.
func evenly(count, most int) int {
	parts := (count + most - 1) / most
	return max((count+parts-1)/max(parts, 1), 1)
}

// batch is what is done for one call of SendAll.
type batch struct {
	client   *Client
	ctx      context.Context
	settings *Settings
	text     *text
	errands  []Errand
	done     func(i int, reports string)
	work     sync.WaitGroup

	mu     sync.Mutex
	direct map[string]*group // those that others may join, see joinKey
}

// way is what recipients have in common who surely go the same way.
type way struct {
	sender string
	host   string // empty if there is a route
	route  Route
	qmtp   bool
	utf8   bool // they need SMTPUTF8
}

// ways sorts the errands by their way. Those that cannot be are done.
func (b *batch) ways() (ways map[way][]int, order []way) {
	ways = map[way][]int{}
	for i, e := range b.errands {
		if !sendable(e.Sender) {
			b.report(i, verdictOf(errSender))
			continue
		}
		w := way{sender: e.Sender, host: e.Host, utf8: needsUTF8(e.Recipient)}
		if route, qmtp, err := b.settings.route(e.Sender, e.Host); err == nil && route.Relay != "" {
			w.host, w.route, w.qmtp = "", route, qmtp
		}
		if ways[w] == nil {
			order = append(order, w)
		}
		ways[w] = append(ways[w], i)
	}
	return ways, order
}

// report reports on a recipient: what was said of it, and of the message.
func (b *batch) report(i int, verdicts ...verdict) { b.done(i, render(verdicts...)) }

// render writes reports.
func render(verdicts ...verdict) string {
	var text strings.Builder
	for _, v := range verdicts {
		text.WriteByte(v.letter)
		text.WriteString(v.text)
		text.WriteByte(0)
	}
	return text.String()
}

// group are recipients that go together, over one session after another.
type group struct {
	targets []target
	first   int // the member that began it

	// Guarded by the batch's mu. Once the group has a session, nobody joins it.
	members []int
	closed  bool
}

// mail is the message for a group, as far as its members have it in common.
func (b *batch) mail(first int) *Mail {
	e := b.errands[first]
	return &Mail{Host: e.Host, Sender: e.Sender, shared: b.text}
}

// send sends to recipients who go the same way.
func (b *batch) send(w way, members []int) {
	m := b.mail(members[0])
	targets, err := b.client.targets(b.ctx, b.settings, m.Sender, m.Host)
	if err != nil {
		for _, i := range members {
			b.report(i, verdictOf(err))
		}
		return
	}
	if g := b.enter(w, m, targets, members); g != nil {
		b.carry(g)
	}
}

// enter makes a group of recipients, or adds them to one to which the same servers
// lead that has no session yet; then it returns nil.
func (b *batch) enter(w way, m *Mail, targets []target, members []int) *group {
	g := &group{targets: targets, first: members[0], members: members}
	if w.host == "" || len(b.errands) == len(members) {
		return g
	}
	key, ok := b.joinKey(w, m, targets)
	if !ok {
		return g
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if other := b.direct[key]; other != nil && !other.closed && len(other.members)+len(members) <= mostRecipients {
		other.members = append(slices.Clip(other.members), members...)
		return nil
	}
	b.direct[key] = g
	return g
}

// joinKey tells apart what hosts have to have in common for one transaction: sender,
// servers and what is required of them. If ok is false nobody else can know that.
func (b *batch) joinKey(w way, m *Mail, targets []target) (key string, ok bool) {
	lines := make([]string, len(targets))
	for i, to := range targets {
		need, err := b.settings.require(b.ctx, m.Host, to)
		if err != nil || !need.plain() {
			return "", false
		}
		// Where to connect from is chosen at random, among the same for all.
		to.from = to.addr.Addr()
		lines[i] = strconv.Itoa(1<<16+int(to.pref)) + strconv.FormatBool(to.qmtp) + sessionKey(m, "", to, need)
	}
	slices.Sort(lines) // those of equal preference are in random order
	return strconv.FormatBool(w.utf8) + strconv.Quote(w.sender) + strings.Join(lines, "\n"), true
}

// close returns the members of a group, which nobody joins any more.
func (b *batch) close(g *group) []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	g.closed = true
	return g.members
}
