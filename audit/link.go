package audit

// Link ties the pseudonym that a person has on one UTC day to the person's tag
// of a long epoch. It is kept beside the entries, outside the ledger: once the
// day's key is gone, only the link says whose the old entries are.
type Link struct {
	Tag       string // v1.KEYID.TEXT under the epoch's key, or random once erased
	Day       uint16 // days since 1970-01-01, UTC, of the entries' time
	Pseudonym string // of the day, as entries have it
}
