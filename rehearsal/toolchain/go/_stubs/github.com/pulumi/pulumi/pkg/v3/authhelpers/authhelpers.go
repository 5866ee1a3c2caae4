// Package authhelpers takes the place of Google's credentials, which are only needed for state in gs://.
package authhelpers

import (
	"context"

	"gocloud.dev/blob"
)

// GoogleCredentialsMux returns the openers that say what is left out, without asking for credentials first.
func GoogleCredentialsMux(context.Context) (*blob.URLMux, error) {
	return blob.DefaultURLMux(), nil
}
