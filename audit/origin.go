package audit

import (
	"errors"
	"strconv"
	"strings"
)

// errEntryID is what ParseEntryID returns.
var errEntryID = errors.New("not the id of an entry: STREAM-GENERATION-OFFSET")

// ParseEntryID reads what EntryID writes.
func ParseEntryID(id string) (Origin, error) {
	at := strings.LastIndexByte(id, '-')
	if at < 0 {
		return Origin{}, errEntryID
	}
	offset, err := strconv.ParseUint(id[at+1:], 10, 64)
	if err != nil {
		return Origin{}, errEntryID
	}
	stream := id[:at]
	if at = strings.LastIndexByte(stream, '-'); at <= 0 {
		return Origin{}, errEntryID
	}
	generation, err := strconv.ParseUint(stream[at+1:], 10, 32)
	o := Origin{Stream: stream[:at], Generation: uint32(generation), Offset: offset}
	if err != nil || o.EntryID() != id {
		return Origin{}, errEntryID
	}
	return o, nil
}
