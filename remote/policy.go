package remote

import (
	"context"
	"crypto/tls"
	"sync"
	"time"
)

// TLSLevel says whether a connection is to have TLS.
type TLSLevel int

const (
	// NoTLS is a connection in the clear.
	NoTLS TLSLevel = iota
	// MayTLS is TLS where it is offered and works, and otherwise none. It keeps
	// out those who only listen.
	MayTLS
	// MustTLS is TLS or no mail.
	MustTLS
)

// Requirement is what a connection to a server has to be like before it gets mail.
type Requirement struct {
	Level TLSLevel
	// Check looks at a connection that has TLS, a resumed one too, and says what is
	// wrong with its certificate. With nil any certificate will do.
	Check func(tls.ConnectionState) error
	// Why says for reports what asks for TLS, as in "control/tlshosts/a.example.pem
	// exists".
	Why string
	// Suites are the cipher suites of TLS 1.2 and before to use; nil for the usual.
	Suites []uint16
}

// plain reports whether the level and the reason say all that is required.
func (r Requirement) plain() bool { return r.Check == nil && r.Suites == nil }

// TLSPolicy says what is required of servers. Each way to find out (control files,
// DNS records, what a host's web server has) is one.
type TLSPolicy interface {
	// For returns what is required of a server. It is an exchanger or relay for mail
	// to host; both are names or addresses. After an error the server is not used
	// for this message.
	For(ctx context.Context, host, server string) (Requirement, error)
}

// recentPolicy asks another policy no more than once a second about a server.
type recentPolicy struct {
	policy TLSPolicy
	now    func() time.Time

	mu   sync.Mutex
	said map[[2]string]recent
}

type recent struct {
	need Requirement
	at   time.Time
}

// mostRecent bounds what is kept.
const mostRecent = 1000

func (p *recentPolicy) For(ctx context.Context, host, server string) (Requirement, error) {
	key := [2]string{host, server}
	now := p.now()
	p.mu.Lock()
	said, ok := p.said[key]
	p.mu.Unlock()
	if ok && now.Sub(said.at).Abs() < time.Second {
		return said.need, nil
	}
	need, err := p.policy.For(ctx, host, server)
	if err != nil {
		return need, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.said == nil || len(p.said) >= mostRecent {
		p.said = map[[2]string]recent{}
	}
	p.said[key] = recent{need, now}
	return need, nil
}
