package control

import "strings"

// Map looks up the lines of a [List] by key, whatever the case of its ASCII letters.
type Map map[string]string

// Set returns a map whose keys are the lines and whose values are empty.
func Set(lines []string) Map {
	m := make(Map, len(lines))
	for _, line := range lines {
		m[fold(line)] = ""
	}
	return m
}

// Pairs returns a map of lines of the form key:value, cut at the first colon.
// Lines without a colon are left out; of equal keys the last one counts.
func Pairs(lines []string) Map {
	m := make(Map, len(lines))
	for _, line := range lines {
		if key, value, ok := strings.Cut(line, ":"); ok {
			m[fold(key)] = value
		}
	}
	return m
}

// Get returns the value for a key.
func (m Map) Get(key string) (value string, ok bool) {
	value, ok = m[fold(key)]
	return value, ok
}

// Has reports whether there is such a key.
func (m Map) Has(key string) bool {
	_, ok := m.Get(key)
	return ok
}

// fold lowers the ASCII letters of s and leaves all other bytes.
func fold(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if c := b[j]; c >= 'A' && c <= 'Z' {
					b[j] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
