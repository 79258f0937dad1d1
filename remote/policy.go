package remote

import (
	"context"
	"crypto/tls"
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

// TLSPolicy says what is required of servers. Each way to find out (control files,
// DNS records, what a host's web server has) is one.
type TLSPolicy interface {
	// For returns what is required of a server. It is an exchanger or relay for mail
	// to host; both are names or addresses. After an error the server is not used
	// for this message.
	For(ctx context.Context, host, server string) (Requirement, error)
}
