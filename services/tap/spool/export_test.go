package spool

// SegmentBytes is how large a segment grows.
const SegmentBytes = segmentBytes

// Decode and Append are the codec of records.
func Decode(b []byte) (Record, int, error) { return decode(b) }

func (r *Record) Append(b []byte) []byte { return r.append(b) }
