package receive

import (
	"math"

	"goqmail/control"
)

// Databytes is the size of a message that is still taken, in bytes as stored: what
// $DATABYTES says, or control/databytes. 0 stands for no limit.
func Databytes(files *control.Folder, env Env) (int64, error) {
	n, err := files.Number("databytes")
	if err != nil {
		return 0, err
	}
	if text, ok := env.Lookup("DATABYTES"); ok {
		return leadingNumber(text), nil // Compat: what is not a number is 0
	}
	return int64(n), nil
}

// leadingNumber is the number that a text begins with, and 0 if it begins with none.
func leadingNumber(text string) int64 {
	var n int64
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			break
		}
		if n > (math.MaxInt64-9)/10 {
			return math.MaxInt64
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
