//go:build !race

package send

const raced = false
