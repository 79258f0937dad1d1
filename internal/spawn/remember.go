package spawn

import (
	"sync"
	"time"
)

// Remember keeps for a moment what qmail-getpw says of an address, since starting it
// costs more than a delivery. Failures are not kept.
type Remember struct {
	Getpw func(local string) ([]byte, error)
	Age   time.Duration
	Now   func() time.Time

	mu   sync.Mutex
	said map[string]remembered
}

type remembered struct {
	fields string
	until  time.Time
}

// mostRemembered bounds what is kept.
const mostRemembered = 1000

// Run is Getpw.Run, or what that said a moment ago.
func (r *Remember) Run(local string) ([]byte, error) {
	now := r.Now()
	r.mu.Lock()
	kept, ok := r.said[local]
	r.mu.Unlock()
	if ok && now.Before(kept.until) {
		return []byte(kept.fields), nil
	}
	fields, err := r.Getpw(local)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.said == nil || len(r.said) >= mostRemembered {
		r.said = map[string]remembered{}
	}
	r.said[local] = remembered{string(fields), now.Add(r.Age)}
	return fields, nil
}
