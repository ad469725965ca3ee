package services

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"github.com/tallystick/tallystick/internal/private"
)

// secretFields are the last words of the fields that name a file with a secret.
var secretFields = []string{"password_file", "secret_file", "key_file", "tls_key_file", "token_file", "credentials_file"}

// checkSecrets refuses files with secrets that others may read. One that is not
// there is not its business: the configuration may be that of another machine.
func checkSecrets(c *Config) error {
	var found error
	eachSecret("", reflect.ValueOf(c).Elem(), func(field, path string) {
		err := private.Check(field, path)
		if err != nil && found == nil && !errors.Is(err, fs.ErrNotExist) {
			found = err
		}
	})
	return found
}

// eachSecret calls do for every field of a section that names such a file.
func eachSecret(at string, v reflect.Value, do func(field, path string)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachSecret(at, v.Elem(), do)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachSecret(fmt.Sprintf("%s[%d]", at, i), v.Index(i), do)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if !f.IsExported() || name == "-" {
				continue
			}
			path := strings.TrimPrefix(at+"."+name, ".")
			if strings.Contains(options, "inline") {
				path = at
			}
			if f.Type.Kind() == reflect.String && slices.Contains(secretFields, name) {
				if file := v.Field(i).String(); file != "" {
					do(path, file)
				}
				continue
			}
			eachSecret(path, v.Field(i), do)
		}
	}
}
