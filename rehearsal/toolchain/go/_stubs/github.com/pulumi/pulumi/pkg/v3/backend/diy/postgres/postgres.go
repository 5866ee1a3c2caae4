// Package postgres is empty: backend/diy/cloud answers for this scheme, too.
package postgres
