package spawn

import (
	"errors"
	"strconv"
	"testing"
	"time"
)

func TestRemember(t *testing.T) {
	now := time.Unix(1000, 0)
	asked := 0
	r := &Remember{Age: time.Second, Now: func() time.Time { return now }, Getpw: func(local string) ([]byte, error) {
		asked++
		if local == "nobody" {
			return nil, errors.New("no")
		}
		return []byte(local + strconv.Itoa(asked)), nil
	}}
	for _, tt := range []struct {
		later time.Duration
		local string
		want  string
	}{
		{0, "ann", "ann1"},
		{0, "ann", "ann1"},
		{0, "bob", "bob2"},
		{0, "nobody", ""},
		{0, "nobody", ""},
		{999 * time.Millisecond, "ann", "ann1"},
		{time.Millisecond, "ann", "ann5"},
		{0, "bob", "bob6"},
	} {
		now = now.Add(tt.later)
		got, err := r.Run(tt.local)
		if string(got) != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: %q, %v, want %q", tt.local, got, err, tt.want)
		}
	}
	for i := range 3 * mostRemembered {
		if _, err := r.Run(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.said); n > mostRemembered {
		t.Errorf("%d are kept", n)
	}
}
