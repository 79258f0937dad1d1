//go:build race

package send

// raced is set under the race detector, which makes everything much slower.
const raced = true
