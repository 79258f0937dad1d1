package receive

import (
	"maps"
	"slices"
	"strings"
)

// Env is the environment of a session. It is the session's own, and what the
// programs that it starts get.
type Env map[string]string

// Environ makes an Env of entries name=value, as of [os.Environ].
func Environ(list []string) Env {
	env := make(Env, len(list))
	for _, entry := range list {
		if name, value, ok := strings.Cut(entry, "="); ok {
			if _, twice := env[name]; !twice { // as getenv(3) has it
				env[name] = value
			}
		}
	}
	return env
}

// Lookup returns a variable; ok is false if it is not set.
func (e Env) Lookup(name string) (value string, ok bool) {
	value, ok = e[name]
	return value, ok
}

// IsSet reports whether a variable that turns something on has another value than
// nothing or 0.
func (e Env) IsSet(name string) bool {
	value := e[name]
	return value != "" && value != "0"
}

// List is the environment as a program gets it, by name.
func (e Env) List() []string {
	list := make([]string, 0, len(e))
	for _, name := range slices.Sorted(maps.Keys(e)) {
		list = append(list, name+"="+e[name])
	}
	return list
}
