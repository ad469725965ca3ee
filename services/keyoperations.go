package services

import "time"

// SetKeyRequest disables a key that is not in use, or enables it again.
type SetKeyRequest struct {
	ID      string `json:"id"`
	Enabled bool   `json:"enabled"`
}

// KeyActRequest asks for a key to be destroyed or, with Until, for its
// destruction to be put off.
type KeyActRequest struct {
	ID     string    `json:"id"`
	Until  time.Time `json:"until,omitzero"`
	Reason string    `json:"reason"` // a ticket; no personal value
	// User and Password are of the account that requests: an OS user may be
	// anybody who signed in to the machine.
	User     string `json:"user"`
	Password string `json:"password"`
}

// KeyActRequested is a request that waits for a second person.
type KeyActRequested struct {
	Approval int64  `json:"approval"`
	Object   string `json:"object"`
}

// WebhookSecretResult is the secret that a receiver of webhooks needs.
type WebhookSecretResult struct {
	Secret string `json:"secret"` // whsec_...
}

// BackupRequest asks for a back-up of the keys.
type BackupRequest struct {
	// Passphrase encrypts it; empty: the key-encryption key does.
	Passphrase string `json:"passphrase,omitempty"`
}

// BackupResult is a back-up of the keys.
type BackupResult struct {
	Data []byte `json:"data"`
	// Until is when it is to be deleted: later it would hold line keys that
	// were destroyed since.
	Until time.Time `json:"until"`
}

// RestoreResult says what came of a restore.
type RestoreResult struct {
	Installation string
	Made         time.Time // the back-up
	Keysets      int
	LineKeys     []string // that opened what they sealed
	Gone         []string // line keys whose time has come: not restored
	Pseudonyms   int      // keys of declared principals
	KEK          string   // key file that was written, if any
}

// RewrapRequest says what is to wrap the key-encryption key from now on.
type RewrapRequest struct {
	To string `json:"to,omitempty"` // URI of a service's key, or the path of a key file to write; empty: the same service
}

// RewrapResult says what wraps it now. The configuration has to name that
// before the next start.
type RewrapResult struct {
	KEK  string `json:"kek"`
	File string `json:"file,omitempty"` // a key file that is of no more use, and secret
}

// WhoRequest asks which line of a directory a principal's pseudonym stands for.
type WhoRequest struct {
	Pseudonym string `json:"pseudonym"`
	Reason    string `json:"reason"` // a ticket; no personal value
	// Directory is a CSV file of the site, as it is. It is compared in memory
	// and goes nowhere.
	Directory []byte `json:"directory,omitempty"`
}

// WhoResult holds no name: who asked has the directory.
type WhoResult struct {
	// Lines of the directory that match, from 1.
	Lines []int `json:"lines,omitempty"`
	// Declared are the data map's labels of principals that match.
	Declared []string `json:"declared,omitempty"`
	// Compared is how many values were compared.
	Compared int `json:"compared"`
}
