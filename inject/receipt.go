package inject

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"goqmail/internal/address"
	"goqmail/internal/fault"
)

// Receipt is what the header of a message says about a notice of its delivery to
// one address; qreceipt(1).
type Receipt struct {
	Address string // in envelope form
	Asked   bool   // Notice-Requested-Upon-Delivery-To names the address
	// MessageID is the field as it stands, with its newline; empty if there is
	// none, or none of a size that it is worth sending back.
	MessageID string
}

// maxMessageID is how long a Message-ID field may be that goes into a notice.
const maxMessageID = 2000

// ReadReceipt reads a message's header. Of one that is longer than MaxHeader it
// looks at the beginning. An error is of type [fault.Error].
//
// An address counts if it is the same to the byte, without any completion.
func ReadReceipt(message io.Reader, addr string) (*Receipt, error) {
	r := &Receipt{Address: addr}
	in := newReader(message, MaxHeader)
	for {
		field, err := in.next()
		switch {
		case errors.Is(err, errHeaderTooLong), err == nil && field == nil:
			return r, nil
		case err != nil:
			return nil, readError(err)
		}
		if err := r.add(field); err != nil {
			return nil, err
		}
	}
}

// add takes in a field.
func (r *Receipt) add(field []byte) error {
	i := bytes.IndexByte(field, ':')
	switch strings.ToLower(string(fieldName(field[:i]))) {
	case "message-id":
		r.MessageID = ""
		if len(field) <= maxMessageID {
			r.MessageID = string(field)
		}
	case "notice-requested-upon-delivery-to":
		l := list{found: func(addr string) error {
			r.Asked = r.Asked || addr == r.Address
			return nil
		}}
		if err := l.parse(string(field[i+1:])); err != nil || l.bad {
			return fault.Hard("unable to parse this: " + strings.TrimSuffix(string(field), "\n"))
		}
	}
	return nil
}

// Notice is the message that tells the sender of the delivery.
func (r *Receipt) Notice(sender string) string {
	to := strings.NewReplacer("\n", "_", "\r", "_").Replace(address.Quote(sender))
	text := "From: DELIVERY NOTICE SYSTEM <" + to + ">\n" +
		"To: <" + to + ">\n" +
		"Subject: success notice\n" +
		"\n" +
		"Hi! This is the qreceipt program. Your message was delivered to the\n" +
		"following address: " + r.Address + ". Thanks for asking.\n"
	if r.MessageID != "" {
		text += "Your " + r.MessageID
	}
	return text
}
