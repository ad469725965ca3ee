package kms

import "net/http"

// Refusal is the error for an answer that is not 200.
func Refusal(status int, body []byte) error {
	req, _ := http.NewRequest(http.MethodPost, "https://kms.example/", nil)
	return refusal(req, status, body)
}
