package tcpenv

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

const (
	identPort = 113
	maxReply  = 1000 // RFC 1413 section 4
	maxUser   = 512  // likewise
)

// ident asks the server at the other end whose connection it is. An empty answer
// is none.
func (n Network) ident(ctx context.Context, e Endpoints, limit time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// From the address that the connection has at this end: there may be several.
	conn, err := n.Dial(ctx, e.Local.Addr(), netip.AddrPortFrom(e.Remote.Addr(), identPort))
	if err != nil {
		return ""
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		conn.SetDeadline(end)
	}
	if _, err := fmt.Fprintf(conn, "%d , %d\r\n", e.Remote.Port(), e.Local.Port()); err != nil {
		return ""
	}
	reply, err := bufio.NewReader(io.LimitReader(conn, maxReply)).ReadString('\n')
	if err != nil {
		return ""
	}
	return ParseIdent(reply)
}

// ParseIdent returns the user that an ident server's reply names, RFC 1413 section
// 4: a line such as
//
//	6193, 23 : USERID : UNIX : stjohns
//
// without any blanks that it has, and with question marks in place of what is not
// printable ASCII. It is empty for other replies.
func ParseIdent(reply string) string {
	reply, _, _ = strings.Cut(reply, "\n")
	reply = strings.NewReplacer(" ", "", "\t", "", "\r", "").Replace(reply)
	fields := strings.SplitN(reply, ":", 4)
	if len(fields) < 4 || !strings.EqualFold(fields[1], "USERID") {
		return ""
	}
	user := fields[3]
	return printable(user[:min(len(user), maxUser)])
}
