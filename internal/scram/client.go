package scram

import (
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
	"strings"
)

// Client is the client's side of one exchange: [Client.First], [Client.Prove] and
// [Client.Verify].
type Client struct {
	User, Password string
	Nonce          string // see [Nonce]; unlike that of any other exchange

	server []byte // what the server has to show
}

const clientHeader = "n,,"

func (c *Client) bare() string { return "n=" + encodeName.Replace(c.User) + ",r=" + c.Nonce }

// First is the first message.
func (c *Client) First() string { return clientHeader + c.bare() }

// Prove answers the server's first message.
func (c *Client) Prove(message string) (string, error) {
	fields := strings.Split(message, ",")
	if len(fields) < 3 {
		return "", ErrFormat
	}
	var values [3]string
	for i, name := range []byte("rsi") {
		var err error
		if values[i], err = attribute(fields[i], name); err != nil {
			return "", err
		}
	}
	nonce := values[0]
	salt, err := unb64(values[1])
	count, err2 := strconv.Atoi(values[2])
	if err != nil || err2 != nil || count < MinIterations || count > MaxIterations ||
		!strings.HasPrefix(nonce, c.Nonce) || len(nonce) == len(c.Nonce) || !isNonce(nonce) {
		return "", ErrFormat
	}
	salted, err := salt256(c.Password, salt, count)
	if err != nil {
		return "", err
	}
	final := "c=" + b64([]byte(clientHeader)) + ",r=" + nonce
	text := c.bare() + "," + message + "," + final
	key := mac(salted, "Client Key")
	stored := sha256.Sum256(key)
	c.server = mac(mac(salted, "Server Key"), text)
	return final + ",p=" + b64(xor(key, mac(stored[:], text))), nil
}

// Verify checks the server's last message: it must know the user too.
func (c *Client) Verify(message string) error {
	value, err := attribute(message, 'v')
	if err != nil {
		return err
	}
	got, err := unb64(value)
	if err != nil {
		return ErrFormat
	}
	if c.server == nil || !hmac.Equal(got, c.server) {
		return ErrRefused
	}
	return nil
}
