package remote

// carry sends to a group, and reports on its members. It returns the verdict on the
// message, and whether that is that there was no session: then it holds for others too.
func (b *batch) carry(g *group) (v verdict, none bool) {
	m := b.mail(g.first)
	var t *tally
	v = b.client.try(b.ctx, b.settings, m, g.targets, func(session *session) verdict {
		t = b.begin(m, session, b.close(g))
		v := session.transfer(m, t)
		if v == stale {
			t = nil
			return v
		}
		t.end()
		return v
	})
	if t == nil {
		for _, i := range b.close(g) {
			b.report(i, v)
		}
		return v, true
	}
	t.settle(v)
	b.carryAll(g.targets, t)
	return v, false
}

// carryAll sends once more to those who have no report yet.
func (b *batch) carryAll(targets []target, t *tally) {
	carry := func(members []int) (verdict, bool) {
		return b.carry(&group{targets: targets, first: members[0], members: members, closed: true})
	}
	if len(t.again) > 0 {
		carry(t.again)
	}
	for _, members := range b.byHost(t.apart) {
		carry(members)
	}
	for n, i := range t.alone {
		if v, none := carry([]int{i}); none {
			for _, i := range t.alone[n+1:] {
				b.report(i, v) // nobody is there
			}
			return
		}
	}
}

// byHost sorts recipients by their hosts.
func (b *batch) byHost(members []int) (parts [][]int) {
	part := map[string]int{}
	for _, i := range members {
		host := b.errands[i].Host
		n, ok := part[host]
		if !ok {
			n = len(parts)
			part[host], parts = n, append(parts, nil)
		}
		parts[n] = append(parts[n], i)
	}
	return parts
}

// tally is what a host says of the recipients of one transaction. It reports what each
// would have been told alone; who might have been told something else alone is kept to
// be sent to once more.
type tally struct {
	batch   *batch
	session *session
	members []int // in the order in which the host is asked
	heard   int
	hosts   bool // the members have several

	accepted []int // and nothing is known of the message yet
	again    []int // too many, or held up by another one: they go together, in another transaction
	apart    []int // refused, perhaps for the company of another host's
	alone    []int // nothing was said of them but of all

	lost   bool // the connection, before the host could have the message
	silent bool // the host did not answer in time
	asking bool // it had taken the sender
	dead   bool
}

// begin begins a transaction.
func (b *batch) begin(m *Mail, session *session, members []int) *tally {
	t := &tally{batch: b, session: session, members: members}
	m.Recipients = make([]string, len(members))
	for n, i := range members {
		m.Recipients[n] = b.errands[i].Recipient
		t.hosts = t.hosts || b.errands[i].Host != b.errands[members[0]].Host
	}
	return t
}

func (t *tally) hear(a answer) {
	i := t.members[t.heard]
	t.heard++
	others := len(t.accepted) > 0
	switch {
	case a.message != nil:
		t.batch.report(i, a.verdict, *a.message)
	case a.verdict.letter == 'r':
		t.accepted = append(t.accepted, i)
	case a.code == 421 && t.heard > 1: // it hangs up
		t.alone = append(t.alone, i)
	case others && (a.tooMany || !t.hosts && a.notOfMailbox()):
		t.again = append(t.again, i)
	case others && t.hosts && a.code != 0:
		t.apart = append(t.apart, i)
	default:
		t.batch.report(i, a.verdict, t.session.givesUp())
	}
}

// end takes note of how the session is after the transaction.
func (t *tally) end() {
	t.dead = t.session.dead
	t.lost = t.dead && t.session.lost != nil && !t.session.critical
	t.silent = t.lost && isTimeout(t.session.lost)
	t.asking = t.session.asking
}

// settle reports on those who were accepted, and on those of whom nothing was said,
// unless they have to go alone.
func (t *tally) settle(v verdict) {
	unheard := t.members[t.heard:]
	switch {
	case t.silent && t.asking && len(unheard) > 0:
		// It may be that the host has no answer about this one alone.
		t.batch.report(unheard[0], v)
		t.again = append(append(t.again, t.accepted...), unheard[1:]...)
		return
	case t.lost && !t.silent && len(t.members) > 1:
		// It may be that the host hangs up on too many recipients.
		t.alone = append(append(t.alone, t.accepted...), unheard...)
		return
	case !t.dead && v.letter != 'K' && len(t.accepted) > 1:
		t.alone = append(t.alone, t.accepted...)
	default:
		text := render(verdict{letter: 'r'}, v)
		for _, i := range t.accepted {
			t.batch.done(i, text)
		}
	}
	for _, i := range unheard {
		t.batch.report(i, v)
	}
}
