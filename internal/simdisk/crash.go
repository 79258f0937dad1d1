package simdisk

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// Trace is what was done to a disk.
type Trace struct {
	folders []string
	ops     []op
	next    uint64
}

// Trace returns what was done so far.
func (d *Disk) Trace() Trace {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Trace{sortedFolders(d.folders), slices.Clone(d.trace), d.next}
}

// Crash is a disk as it may be found after the power went.
type Crash struct {
	After int // how many operations were done before
	Marks []string
	Disk  *Disk
}

// String says where the power went.
func (c Crash) String() string { return fmt.Sprintf("power cut after operation %d", c.After) }

// Crashes returns the disks that a power cut may leave after each operation, each
// that is different from the others once.
func (t Trace) Crashes() iter.Seq[Crash] {
	return func(yield func(Crash) bool) {
		seen := map[[sha256.Size]byte]bool{}
		for _, journaled := range []bool{false, true} {
			m := newModel(t, journaled)
			for k := 0; k <= len(t.ops); k++ {
				for d := range m.disks() {
					c := Crash{k, m.marks, d}
					if sum := c.sum(); !seen[sum] {
						seen[sum] = true
						if !yield(c) {
							return
						}
					}
				}
				if k < len(t.ops) {
					m.apply(t.ops[k], k)
				}
			}
		}
	}
}

// sum is the same for crashes that nobody can tell apart.
func (c Crash) sum() (sum [sha256.Size]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "%q", c.Marks)
	for _, f := range sortedFolders(c.Disk.folders) {
		names := c.Disk.folders[f]
		for _, n := range slices.Sorted(maps.Keys(names)) {
			i := names[n]
			fmt.Fprintf(h, "%q %d %q %v %d\n", path.Join(f, n), i.number, i.data, i.perm, i.mtime.Unix())
		}
	}
	h.Sum(sum[:0])
	return sum
}

// entry is a change of names in one folder: nil takes a name away.
type entry struct {
	seq   int
	names map[string]*inode
}

// model knows at one moment what lasts and what a crash may undo.
type model struct {
	journaled bool // a sync of one folder is one of all, and all follow one order
	next      uint64
	folders   []string
	lasting   map[string]map[string]*inode
	pending   map[string][]entry
	synced    map[*inode]content
	now       map[*inode]content
	dirty     map[*inode]bool
	marks     []string
	random    *rand.Rand
}

func newModel(t Trace, journaled bool) *model {
	m := &model{
		journaled: journaled, next: t.next, folders: t.folders,
		lasting: map[string]map[string]*inode{}, pending: map[string][]entry{},
		synced: map[*inode]content{}, now: map[*inode]content{}, dirty: map[*inode]bool{},
		random: rand.New(rand.NewPCG(1, 2)),
	}
	for _, f := range t.folders {
		m.lasting[f] = map[string]*inode{}
	}
	return m
}

func (m *model) apply(o op, seq int) {
	add := func(folder string, names map[string]*inode) {
		m.pending[folder] = append(m.pending[folder], entry{seq, names})
	}
	switch o.kind {
	case create:
		m.synced[o.inode], m.now[o.inode] = o.content, o.content
		add(o.folder, map[string]*inode{o.name: o.inode})
	case link:
		add(o.folder, map[string]*inode{o.name: o.inode})
	case unlink:
		add(o.folder, map[string]*inode{o.name: nil})
	case rename:
		if o.folder == o.to {
			add(o.to, map[string]*inode{o.name: nil, o.toName: o.inode})
			return
		}
		add(o.folder, map[string]*inode{o.name: nil})
		add(o.to, map[string]*inode{o.toName: o.inode})
	case change:
		m.now[o.inode] = o.content
		m.dirty[o.inode] = true
	case syncFile:
		m.synced[o.inode] = m.now[o.inode]
		delete(m.dirty, o.inode)
	case syncFolder:
		if !m.journaled {
			m.settle(o.folder)
			return
		}
		for _, f := range m.folders {
			m.settle(f)
		}
	case mark:
		m.marks = append(slices.Clip(m.marks), o.note)
	}
}

// settle makes the entries of a folder last.
func (m *model) settle(folder string) {
	for _, e := range m.pending[folder] {
		enact(m.lasting[folder], e)
	}
	delete(m.pending, folder)
}

func enact(names map[string]*inode, e entry) {
	for name, i := range e.names {
		if i == nil {
			delete(names, name)
		} else {
			names[name] = i
		}
	}
}

// disks are those that a crash may leave now.
func (m *model) disks() iter.Seq[*Disk] {
	return func(yield func(*Disk) bool) {
		for cut := range m.cuts() {
			names := m.after(cut)
			for choose := range m.choices(names) {
				if !yield(m.disk(names, choose)) {
					return
				}
			}
		}
	}
}

// cuts says for each folder how many of its pending entries last.
func (m *model) cuts() iter.Seq[map[string]int] {
	if m.journaled {
		return m.prefixes
	}
	return m.combinations
}

// prefixes are the beginnings of the journal.
func (m *model) prefixes(yield func(map[string]int) bool) {
	all := map[int]bool{1 << 30: true}
	for _, entries := range m.pending {
		for _, e := range entries {
			all[e.seq] = true
		}
	}
	for _, end := range slices.Sorted(maps.Keys(all)) {
		cut := map[string]int{}
		for f, entries := range m.pending {
			for _, e := range entries {
				if e.seq < end {
					cut[f]++
				}
			}
		}
		if !yield(cut) {
			return
		}
	}
}

// random combinations, where there are too many to try them all.
const (
	mostCombinations = 48
	someCombinations = 16
)

// combinations are beginnings of what is pending in each folder, independently: all
// of them if there are not too many, otherwise each folder varied while nothing or
// everything of the others lasts, and some at random.
func (m *model) combinations(yield func(map[string]int) bool) {
	folders := slices.Sorted(maps.Keys(m.pending))
	number := 1
	for _, f := range folders {
		number = min(number*(len(m.pending[f])+1), mostCombinations+1)
	}
	if number <= mostCombinations {
		m.product(folders, map[string]int{}, yield)
		return
	}
	for _, others := range []bool{false, true} {
		for _, f := range folders {
			for n := range len(m.pending[f]) + 1 {
				cut := map[string]int{}
				for _, o := range folders {
					if others {
						cut[o] = len(m.pending[o])
					}
				}
				cut[f] = n
				if !yield(cut) {
					return
				}
			}
		}
	}
	for range someCombinations {
		cut := map[string]int{}
		for _, f := range folders {
			cut[f] = m.random.IntN(len(m.pending[f]) + 1)
		}
		if !yield(cut) {
			return
		}
	}
}

func (m *model) product(folders []string, cut map[string]int, yield func(map[string]int) bool) bool {
	if len(folders) == 0 {
		return yield(maps.Clone(cut))
	}
	for n := range len(m.pending[folders[0]]) + 1 {
		cut[folders[0]] = n
		if !m.product(folders[1:], cut, yield) {
			return false
		}
	}
	return true
}

// after are the names that are there after a crash.
func (m *model) after(cut map[string]int) map[string]map[string]*inode {
	names := map[string]map[string]*inode{}
	for _, f := range m.folders {
		names[f] = maps.Clone(m.lasting[f])
		for _, e := range m.pending[f][:cut[f]] {
			enact(names[f], e)
		}
	}
	return names
}

// choice says what became of a file that was not synced.
type choice func(*inode) content

// choices are what may have become of the files that have names.
func (m *model) choices(names map[string]map[string]*inode) iter.Seq[choice] {
	var dirty []*inode
	for _, f := range m.folders {
		for _, n := range slices.Sorted(maps.Keys(names[f])) {
			if i := names[f][n]; m.dirty[i] && !slices.Contains(dirty, i) {
				dirty = append(dirty, i)
			}
		}
	}
	none := func(i *inode) content { return m.synced[i] }
	all := func(i *inode) content { return m.now[i] }
	return func(yield func(choice) bool) {
		if !yield(all) || len(dirty) == 0 || !yield(none) || !yield(m.half) || !yield(m.zeros) {
			return
		}
		for _, one := range dirty {
			for _, pair := range [][2]choice{{none, all}, {m.half, all}, {m.zeros, all}, {all, none}} {
				if !yield(func(i *inode) content {
					if i == one {
						return pair[0](i)
					}
					return pair[1](i)
				}) {
					return
				}
			}
		}
	}
}

// half has the first half of what was written since the last sync.
func (m *model) half(i *inode) content {
	old, now := m.synced[i], m.now[i].clone()
	if !m.dirty[i] {
		return now
	}
	if more := len(now.data) - len(old.data); more > 1 {
		now.data = now.data[:len(old.data)+more/2]
	}
	return now
}

// zeros has zeros where data was added since the last sync.
func (m *model) zeros(i *inode) content {
	old, now := m.synced[i], m.now[i].clone()
	if m.dirty[i] {
		for k := len(old.data); k < len(now.data); k++ {
			now.data[k] = 0
		}
	}
	return now
}

// disk makes a disk of names and content.
func (m *model) disk(names map[string]map[string]*inode, choose choice) *Disk {
	d := New(m.folders...)
	d.next = m.next
	copies := map[*inode]*inode{}
	used := map[uint64]bool{}
	for f, all := range names {
		for name, i := range all {
			c := copies[i]
			if c == nil {
				content := m.now[i]
				if m.dirty[i] {
					content = choose(i)
				}
				c = &inode{number: i.number, content: content.clone()}
				copies[i], used[i.number] = c, true
			}
			c.links++
			d.folders[f][name] = c
		}
	}
	for n := uint64(100); n < d.next; n++ {
		if !used[n] {
			d.free = append(d.free, n)
		}
	}
	return d
}

// Len is how many operations there were.
func (t Trace) Len() int { return len(t.ops) }
