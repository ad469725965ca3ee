package kms

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/tallystick/tallystick/internal/text"
)

// amazon is a key of AWS KMS: the actions Encrypt and Decrypt of its JSON 1.1
// protocol, signed by the SDK's signer with the credentials that the SDK finds
// (docs.aws.amazon.com/kms/latest/APIReference).
type amazon struct {
	client          *http.Client
	address, region string
	key             string // the ARN

	mu          sync.Mutex
	credentials aws.CredentialsProvider // nil until the first call; guarded by mu
}

var awsARN = regexp.MustCompile(`^arn:(aws[a-z-]*):kms:([a-z0-9-]+):[0-9]{12}:(key|alias)/[A-Za-z0-9:/_-]+$`)

func newAWS(uri string, c Config, client *http.Client) (Service, error) {
	arn := strings.TrimPrefix(uri, awsScheme)
	m := awsARN.FindStringSubmatch(arn)
	if m == nil {
		return nil, &text.Hint{Err: errors.New("the ARN of the AWS key is malformed"), Hint: "write aws-kms://arn:aws:kms:REGION:ACCOUNT:key/ID"}
	}
	a := &amazon{client: client, region: m[2], key: arn, address: c.Endpoint}
	if a.address == "" {
		a.address = "https://kms." + a.region + ".amazonaws.com"
		if m[1] == "aws-cn" {
			a.address += ".cn"
		}
	}
	a.address = strings.TrimSuffix(a.address, "/") + "/"
	return a, nil
}

// awsData are the fields of requests and answers; bytes are base64.
type awsData struct {
	KeyID      string            `json:"KeyId,omitempty"`
	Plaintext  []byte            `json:"Plaintext,omitempty"`
	Ciphertext []byte            `json:"CiphertextBlob,omitempty"`
	Context    map[string]string `json:"EncryptionContext,omitempty"`
}

func (a *amazon) ask(ctx context.Context, action string, r awsData, associated []byte) (awsData, error) {
	r.KeyID = a.key
	if len(associated) > 0 { // as Tink writes it
		r.Context = map[string]string{"associatedData": hex.EncodeToString(associated)}
	}
	var out awsData
	c := caller{client: a.client, prepare: func(req *http.Request, body []byte) error {
		provider, err := a.provider(ctx)
		if err != nil {
			return err
		}
		who, err := provider.Retrieve(ctx)
		if err != nil {
			return &text.Hint{Err: fmt.Errorf("%w: no AWS credentials: %w", ErrAway, err), Hint: "aws sts get-caller-identity says which credentials there are"}
		}
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", "TrentService."+action)
		sum := sha256.Sum256(body)
		return v4.NewSigner().SignHTTP(ctx, who, req, hex.EncodeToString(sum[:]), "kms", a.region, time.Now())
	}}
	err := c.call(ctx, a.address, r, &out)
	return out, err
}

// provider finds the credentials once; it renews them by itself.
func (a *amazon) provider(ctx context.Context) (aws.CredentialsProvider, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.credentials == nil {
		c, err := config.LoadDefaultConfig(ctx, config.WithRegion(a.region))
		if err != nil {
			return nil, fmt.Errorf("failed to find AWS credentials: %w", err)
		}
		a.credentials = c.Credentials
	}
	return a.credentials, nil
}

// EncryptWithContext implements Service.
func (a *amazon) EncryptWithContext(ctx context.Context, plaintext, associated []byte) ([]byte, error) {
	r, err := a.ask(ctx, "Encrypt", awsData{Plaintext: plaintext}, associated)
	return r.Ciphertext, err
}

// DecryptWithContext implements Service.
func (a *amazon) DecryptWithContext(ctx context.Context, ciphertext, associated []byte) ([]byte, error) {
	r, err := a.ask(ctx, "Decrypt", awsData{Ciphertext: ciphertext}, associated)
	return r.Plaintext, err
}
