package queue

// Count counts the files of one kind, whatever their names.
func (q *Queue) Count(kind Kind) (int, error) {
	count := 0
	for _, folder := range q.Folders(kind) {
		err := q.FS.Names(folder, func(name string) bool {
			if name != "." && name != ".." {
				count++
			}
			return true
		})
		if err != nil {
			return count, err
		}
	}
	return count, nil
}

// Numbers calls yield with the number of each message that has a file of that
// kind, until yield returns false. Names that are no numbers are passed over, and
// so is a folder that is gone.
func (q *Queue) Numbers(kind Kind, yield func(Number) bool) error {
	for _, folder := range q.Folders(kind) {
		more := true
		err := q.FS.Names(folder, func(name string) bool {
			if n, ok := ParseNumber(name); ok {
				more = yield(n)
			}
			return more
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}
