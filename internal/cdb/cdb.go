// Package cdb reads and writes constant databases, cdb(5): a file that maps keys
// to values and is only ever replaced as a whole.
//
// # File format
//
// Numbers are 32 bits, unsigned, least significant byte first; a position counts
// bytes from the beginning of the file.
//
//	file    = 256 pointers, records, 256 tables
//	pointer = position of a table, number of its slots
//	record  = length of the key, length of the value, key, value
//	slot    = hash of a key, position of its record; position 0: empty
//
// The hash of a key begins as 5381; for each byte it is multiplied by 33 and
// xored with the byte. Its low 8 bits choose the table, the rest modulo the
// number of slots the slot where a search begins. A search goes from slot to
// slot, after the last one to the first, and ends at an empty one. A table has
// twice as many slots as keys. Equal keys are found in the order of their records.
//
// With one record, key "k" and value "v", a file is
//
//	offset  2048  01 00 00 00 01 00 00 00 6b 76       the record
//	offset  2058  00 00 00 00 00 00 00 00             an empty slot
//	offset  2066  ce b5 02 00 00 08 00 00             the slot of the key
//	offset  1648  0a 08 00 00 02 00 00 00             the pointer to the table
//
// and 255 pointers to tables without slots.
//
// A file is at most 4 GB long. A reader is told nothing but the file, so one that
// is damaged or was cut off is an error ([ErrCorrupt]) where a search meets the
// damage, and never more than what is in the file is read or kept.
package cdb

import "errors"

// ErrCorrupt is wrapped by the error for a file that ends where a record or a
// table should be.
var ErrCorrupt = errors.New("not a whole constant database")

// ErrFull is wrapped by the error for more than fits into a file.
var ErrFull = errors.New("constant database would exceed 4 GB")

const (
	tables      = 256
	pairSize    = 8 // two numbers: a pointer, a slot, or the lengths of a record
	headerSize  = tables * pairSize
	maxSize     = 1<<32 - 1
	hashStart   = 5381
	slotsPerKey = 2
)

// Hash returns the hash of a key.
func Hash(key []byte) uint32 {
	h := uint32(hashStart)
	for _, c := range key {
		h = h*33 ^ uint32(c)
	}
	return h
}
