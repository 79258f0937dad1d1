package remote

import (
	"context"
	"errors"
	"net/netip"
)

// ErrNoHost is wrapped by a [Resolver]'s error for a name that does not exist.
var ErrNoHost = errors.New("no such host")

// Exchanger is a mail exchanger: one MX record.
type Exchanger struct {
	Host string // a null MX has the empty name or "."
	Pref uint16 // the lower the better
}

// Resolver asks the DNS. A name that exists but has no such records gives none
// and no error; one that does not exist gives ErrNoHost; any other error is
// temporary.
type Resolver interface {
	// MX returns the mail exchangers of a host, in any order.
	MX(ctx context.Context, host string) ([]Exchanger, error)
	// Addrs returns the addresses of a host in the order in which to try them.
	// It fails only if there are none.
	Addrs(ctx context.Context, host string) ([]netip.Addr, error)
}
