// Package cloud takes the place of the drivers for state in clouds and databases, which a rehearsal never opens.
package cloud

import (
	"context"
	"errors"
	"net/url"

	"gocloud.dev/blob"
)

// Scheme is the one of Azure's storage.
const Scheme = "azblob"

func init() {
	for _, scheme := range []string{"s3", "gs", Scheme, "postgres"} {
		blob.DefaultURLMux().RegisterBucket(scheme, &URLOpener{})
	}
}

// Unavailable is the error of everything that was left out.
func Unavailable(what string) error {
	return errors.New(what + " is left out of this pulumi, which was built for rehearsals only; " +
		"see docs/toolchain.md, or install the vendor's own")
}

// URLOpener refuses to open anything. Its fields are those that the backend sets.
type URLOpener struct {
	MakeClient        func()
	ServiceURLOptions ServiceURLOptions
}

// OpenBucketURL says that state in this kind of place is left out.
func (*URLOpener) OpenBucketURL(_ context.Context, u *url.URL) (*blob.Bucket, error) {
	return nil, Unavailable("state in " + u.Scheme + "://")
}

// ServiceURLOptions are never read.
type ServiceURLOptions struct{}

// NewDefaultClient is never called.
func NewDefaultClient() {}

// NewDefaultServiceURLOptions returns what is never read.
func NewDefaultServiceURLOptions() *ServiceURLOptions { return &ServiceURLOptions{} }

// CopyObjectInput stands for S3's type of this name: no bucket that can be opened knows it.
type CopyObjectInput struct{ CopySource *string }
