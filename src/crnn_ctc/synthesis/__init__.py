"""Pictures of plates that never were: string, face, light, camera (numpy, OpenCV)."""
