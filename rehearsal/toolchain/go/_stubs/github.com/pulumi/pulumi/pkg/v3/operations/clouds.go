package operations

import (
	"context"

	"github.com/pulumi/pulumi/pkg/v3/backend/diy/cloud"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
)

// AWSOperationsProvider fails: the logs of AWS are left out.
func AWSOperationsProvider(context.Context, map[config.Key]string, *Resource) (Provider, error) {
	return nil, cloud.Unavailable("`pulumi logs` of AWS")
}

// GCPOperationsProvider fails: the logs of Google Cloud are left out.
func GCPOperationsProvider(context.Context, map[config.Key]string, *Resource) (Provider, error) {
	return nil, cloud.Unavailable("`pulumi logs` of Google Cloud")
}
