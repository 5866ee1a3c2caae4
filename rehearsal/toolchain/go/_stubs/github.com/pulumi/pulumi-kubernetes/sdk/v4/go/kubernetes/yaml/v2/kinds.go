// Package v2 takes the place of the SDK's package of this name, which imports the SDK's types of every kind there is.
package v2

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// object is what every kind is registered as: the provider asks it for nothing but its identity.
type object struct {
	pulumi.CustomResourceState
}

// RegisterResource registers an object under the type that the SDK has for its kind, known to the SDK or not.
func RegisterResource(ctx *pulumi.Context, apiVersion, kind, name string, props pulumi.Input,
	opts ...pulumi.ResourceOption) (pulumi.CustomResource, error) {
	if apiVersion == "v1" {
		apiVersion = "core/v1" // the one group whose name Kubernetes leaves out and the SDK does not
	}
	var made object
	if err := ctx.RegisterResource(fmt.Sprintf("kubernetes:%s:%s", apiVersion, kind), name, props, &made, opts...); err != nil {
		return nil, err
	}
	return &made, nil
}
